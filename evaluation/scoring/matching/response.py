"""Find the answer in a model's response, and the JSON object in the answer; report how it was found."""

import json
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NoReturn, cast

from evaluation.scoring.matching import numbers
from evaluation.scoring.matching.field_rule import Json

JsonStatus = Literal["strict", "fenced", "trailing_text", "invalid", "not_json_expected"]
# Each attempt may read the whole text. An object after more opening braces than this is not an answer.
_ATTEMPTS = 10
_FENCE = "```"
_THOUGHT, _THOUGHT_ENDS = "<think>", "</think>"
# The most repeated names that a problem lists.
_NAMED = 5


@dataclass(frozen=True)
class Found:
    """`value` is None if no object was found. `problems` are what a strict reader would reject."""

    status: JsonStatus
    value: dict[str, Json] | None
    problems: tuple[str, ...]


class _NotJsonError(ValueError):
    pass


def answer(text: str) -> str:
    """What follows the last thought (`<think>…</think>`) and its line breaks; all of a text without thoughts.

    The first tag may be missing, because some templates end with it. A thought that does not end has no answer
    after it. Tags inside a JSON object that is the whole answer are part of it.
    """
    if _THOUGHT_ENDS in text:
        first = text.index(_THOUGHT_ENDS) + len(_THOUGHT_ENDS)
        for start in (0, first):
            if _Reader().whole(text[start:].strip()) is not None:
                return text[start:]
        text = text[text.rindex(_THOUGHT_ENDS) + len(_THOUGHT_ENDS) :].lstrip("\r\n")
    return "" if text.removeprefix("\ufeff").lstrip().startswith(_THOUGHT) else text


def find_object(text: str) -> Found:
    """The JSON object in the answer: alone (strict), inside a code fence, or with other text around it.

    If a name is repeated, its last value counts, as in most readers, and a problem reports it. A text is
    invalid if it has NaN, Infinity, a number too large for double precision, or nesting too deep to read. Numbers
    keep all their digits (see `numbers`).
    """
    text = answer(text)
    quick = _quickly(text)
    if quick is not None:
        return Found("strict", quick, ())
    body = text.removeprefix("\ufeff").strip()
    problems = ["the response starts with a byte order mark"] if text.startswith("\ufeff") else []
    reader = _Reader()
    for status, candidate in (("strict", body), ("fenced", _fenced(body))):
        value = reader.whole(candidate) if candidate is not None else None
        if value is not None:
            return Found(cast(JsonStatus, status), value, tuple(problems + reader.problems))
    value = reader.first_inside(body)
    if value is not None:
        return Found("trailing_text", value, tuple(problems + reader.problems))
    return Found("invalid", None, (*problems, reader.reason or "the response holds no JSON object"))


def decode(text: str) -> Json:
    """The JSON value that is all of `text`, with all digits. Raises ValueError (also for repeated names) or
    RecursionError."""
    return cast(Json, _PLAIN.decode(text))


def _quickly(text: str) -> dict[str, Json] | None:
    """The object, if the text is one object without any problem; None if the text needs the full search."""
    body = text.strip()
    if not body.startswith("{") or "\\u" in body or printable(body) != body:
        return None
    try:
        value, end = _PLAIN.raw_decode(body)
    except (ValueError, RecursionError):
        return None
    return cast(dict[str, Json], value) if end == len(body) else None


def _fenced(body: str) -> str | None:
    """The text between the opening line of the first code fence and the last fence."""
    start = body.find(_FENCE)
    end = body.rfind(_FENCE)
    line_end = body.find("\n", start)
    if start < 0 or end <= start or not start < line_end <= end:
        return None
    return body[line_end:end].strip()


class _Reader:
    """A strict decoder that records repeated names and the reason of its last failure."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.reason: str | None = None
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_constant=_refuse_constant,
            parse_float=_fraction,
            parse_int=numbers.whole,
        )

    def whole(self, text: str) -> dict[str, Json] | None:
        return self._try(text, 0, whole=True)

    def first_inside(self, text: str) -> dict[str, Json] | None:
        start = -1
        for _ in range(_ATTEMPTS):
            start = text.find("{", start + 1)
            if start < 0:
                return None
            # An object inside a broken one is not the answer, so skip it if braces before it are open.
            if text.count("{", 0, start) != text.count("}", 0, start):
                continue
            value = self._try(text, start, whole=False)
            if value is not None:
                return value
        return None

    def _try(self, text: str, start: int, *, whole: bool) -> dict[str, Json] | None:
        self.problems = []
        try:
            value, end = self._decoder.raw_decode(text, start)
        except RecursionError:
            self.reason = "the JSON is nested too deeply"
            return None
        except _NotJsonError as error:
            self.reason = str(error)
            return None
        except ValueError:
            return None
        if whole and end != len(text):
            return None
        if not isinstance(value, dict):
            self.reason = "the response is JSON but not an object"
            return None
        return value

    def _object(self, pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        found = {printable(name): _clean(value) for name, value in pairs}
        if len(found) != len(pairs):
            times = Counter(printable(name) for name, _ in pairs)
            repeated = sorted(name for name, number in times.items() if number > 1)[:_NAMED]
            self.problems.append(f"repeated names: {', '.join(repeated)}")
        return found


def _clean(value: Json) -> Json:
    """Clean strings and lists. Objects inside were cleaned when they were decoded."""
    if isinstance(value, str):
        return printable(value)
    return [_clean(item) for item in value] if isinstance(value, list) else value


def printable(text: str) -> str:
    """Replace NUL and lone surrogates, which a database or file cannot store, by U+FFFD."""
    text = text.replace("\x00", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _refuse_constant(name: str) -> NoReturn:
    raise _NotJsonError(f"{name} is not allowed in JSON")


def _fraction(digits: str) -> float | Decimal:
    try:
        return numbers.fraction(digits)
    except ValueError as error:
        raise _NotJsonError(str(error)) from None


def _unrepeated(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NotJsonError("repeated names")
    return found


# Most responses are plain objects. They share one decoder, because creating one takes longer than decoding. It
# refuses whole numbers that are too long for int().
_PLAIN = json.JSONDecoder(
    object_pairs_hook=_unrepeated, parse_constant=_refuse_constant, parse_float=_fraction
)
