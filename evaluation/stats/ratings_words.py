"""The words for answers, sides, yes and no, and true and false that ratings files use."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Literal, get_args

# The candidate's result, or the side of the screen that was preferred.
Answer = Literal["win", "tie", "both_bad", "loss", "left", "right"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)
Side = Literal["left", "right", ""]
Role = Literal["candidate", "baseline"]

_ANSWERS: dict[str, Answer] = {
    **dict.fromkeys(("win", "candidate"), "win"),
    **dict.fromkeys(("loss", "baseline"), "loss"),
    **dict.fromkeys(("tie", "tie (inconsistent)"), "tie"),
    **dict.fromkeys(("both bad", "bothbad", "tie (bothbad)", "tie (both bad)"), "both_bad"),
    **dict.fromkeys(
        ("left", "a", "model a", "response a", "response1", "response 1", "answer1", "answer 1"), "left"
    ),
    **dict.fromkeys(
        ("right", "b", "model b", "response b", "response2", "response 2", "answer2", "answer 2"), "right"
    ),
}
# From the candidate's side. A file with 1 and 0 but without −1 may mean something else.
NUMBERS: dict[str, Answer] = {"1": "win", "0": "tie", "-1": "loss"}
_SIDES: dict[str, Side] = {
    **dict.fromkeys(("left", "l", "a"), "left"),
    **dict.fromkeys(("right", "r", "b"), "right"),
    **dict.fromkeys(("", "unknown"), ""),
}
_YES_NO = {"yes": 1.0, "no": 0.0}
# Spreadsheets write these words in the language of the person.
_FLAGS = {
    **dict.fromkeys(("", "false", "no", "0", "falsch", "faux", "falso"), False),
    **dict.fromkeys(("true", "yes", "1", "wahr", "vrai", "verdadero", "vero", "verdadeiro"), True),
}
_SPACES = re.compile(r"[\s_-]+")
_WHOLE = re.compile(r"[+-]?(\d+)(\.0+)?", re.ASCII)


class Vocabulary:
    """The answers of one file: the usual words, and those that the caller adds.

    `own` maps an answer to the file's text for it. `names` maps the name of a system to its role: a file may name
    the preferred system.
    """

    def __init__(self, own: Mapping[str, str], names: Mapping[str, Role]) -> None:
        self._own: dict[str, Answer] = {
            clean(text): answer for answer in ANSWERS if (text := own.get(answer)) is not None
        }
        results: dict[Role, Answer] = {"candidate": "win", "baseline": "loss"}
        self._own |= {clean(name): results[role] for name, role in names.items() if name}

    def answer(self, value: object) -> Answer | None:
        """The answer that a cell stands for; None for an unknown word."""
        text = clean(str(value)) if isinstance(value, str | int | float) and value is not True else ""
        if text in self._own:
            return self._own[text]
        return _ANSWERS.get(_plain(text)) or NUMBERS.get(whole(text))

    def is_number(self, value: object) -> bool:
        """Whether a cell is an answer only because 1, 0 and −1 are."""
        text = clean(str(value))
        return text not in self._own and whole(text) in NUMBERS


def _plain(text: str) -> str:
    return _SPACES.sub(" ", text.casefold()).strip().removesuffix(" is better")


def whole(text: str) -> str:
    """A whole number without a plus sign or decimals, as in 1.0 or +1; "" for other texts."""
    text = text.replace("−", "-")
    found = _WHOLE.fullmatch(text)
    if found is None:
        return ""
    return ("-" if text.startswith("-") else "") + found[1]


def side_of(value: object) -> Side | None:
    """Left, right or "" for unknown; None for an unknown word."""
    if value is None:
        return ""
    return _SIDES.get(value.strip().casefold()) if isinstance(value, str) else None


def flag_of(value: object) -> bool | None:
    """True or false, in the languages of spreadsheets; None for an unknown word."""
    return _FLAGS.get("" if value is None else str(value).strip().casefold())


def yes_no_of(value: object) -> float | None:
    """1 for yes, 0 for no; None for anything else."""
    if isinstance(value, bool):
        return float(value)
    return _YES_NO.get(value.strip().casefold()) if isinstance(value, str) else None


def clean(text: str) -> str:
    """An id or a name without spaces at its ends, in one Unicode form (NFC)."""
    text = text.strip()
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def alike(name: str) -> str:
    """The same text for names that differ in case, spaces or Unicode form only."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
