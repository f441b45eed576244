"""Compare one expected value with one actual value.

Free text is never wrong because of its wording: it gets a similarity, and reviewers judge it.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Literal, NamedTuple, cast, get_args

from evaluation.scoring.matching import numbers
from evaluation.scoring.matching.numbers import NUMBERS, Number

# A Decimal is a number that a float would change (see `numbers`).
Json = None | bool | int | float | Decimal | str | list["Json"] | dict[str, "Json"]
Kind = Literal["exact", "text", "number", "set", "one_of", "similar", "ignored"]
Status = Literal["match", "mismatch", "similar", "missing", "wrong_type", "ignored"]

# A longer string is prose, not a label.
_LABEL_CHARACTERS = 60
_LABEL_WORDS = 8
# An expected text is compared with both sides. Longer texts are not cached, to save memory.
_REMEMBERED_CHARACTERS = 20_000
# Scripts without spaces between words are split into characters.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\u0e00-\u0e7f]|\w+")
_LATIN_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class FieldRule:
    """The declared comparison of a field.

    `exact`: the same JSON value. `text`: the same after Unicode NFKC, case folding and collapsing white
    space. `number`: the same decimal, digit by digit, or within `tolerance` (absolute) or `relative_tolerance`
    (share of the expected number), whichever is larger. `set`: lists with the same members in any order and
    number, texts compared as in `text`. `one_of`: one of `options`, normalised. `similar`: free text.
    `ignored`: reported only. Raises ValueError for contradictory settings.
    """

    kind: Kind
    tolerance: float = 0.0
    relative_tolerance: float = 0.0
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"unknown comparison {self.kind!r}")
        if not (self.tolerance >= 0 and self.relative_tolerance >= 0):
            raise ValueError("tolerances cannot be negative")
        if (self.kind == "one_of") != bool(self.options):
            raise ValueError("options belong to the comparison 'one_of', which needs them")

    @cached_property
    def allowed(self) -> frozenset[str]:
        """The options, normalised."""
        return frozenset(normalised(option) for option in self.options)


class Outcome(NamedTuple):
    """`similarity` lies between 0 and 1; it is None where the comparison does not measure it."""

    status: Status
    similarity: float | None = None


def infer(expected: Json) -> FieldRule:
    """The rule for a field without a declared one: labels as text, prose as similar, lists of scalars as sets."""
    if isinstance(expected, bool) or expected is None:
        return FieldRule("exact")
    if isinstance(expected, NUMBERS):
        return FieldRule("number")
    if isinstance(expected, str):
        prose = len(expected) > _LABEL_CHARACTERS or "\n" in expected or len(expected.split()) > _LABEL_WORDS
        return FieldRule("similar" if prose else "text")
    if isinstance(expected, list) and all(isinstance(item, (str, *NUMBERS)) for item in expected):
        return FieldRule("set")
    return FieldRule("exact")


def compare(expected: Json, got: Json, comparison: FieldRule) -> Outcome:
    """Compare `got` with `expected`."""
    if comparison.kind == "ignored":
        return Outcome("ignored")
    if comparison.kind == "exact":
        return _compare_exact(expected, got)
    if comparison.kind == "number":
        return _compare_number(expected, got, comparison)
    if comparison.kind == "set":
        return _compare_set(expected, got)
    if not isinstance(expected, str) or not isinstance(got, str):
        return Outcome("wrong_type")
    if comparison.kind == "similar":
        return Outcome("similar", similarity(expected, got))
    found = normalised(got)
    allowed = not comparison.options or found in comparison.allowed
    return _truth(allowed and found == normalised(expected))


def normalised(text: str) -> str:
    """Unicode NFKC, case folded, white space collapsed."""
    return _label(text) if len(text) <= _LABEL_CHARACTERS else _normalised(text)


def _normalised(text: str) -> str:
    return " ".join(_folded(text).split())


def _folded(text: str) -> str:
    # For pure ASCII, NFKC changes nothing and case folding equals lower case.
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


# Labels repeat often.
_label = lru_cache(maxsize=4096)(_normalised)


def similarity(left: str, right: str) -> float:
    """Dice coefficient of the two multisets of words and of adjacent word pairs: 1 if equal, 0 if nothing is shared.

    Takes time linear in the length of the texts. Two texts without words have similarity 1 if they are equal
    after normalisation, else 0.
    """
    if left == right:
        return 1.0
    first = _remembered_grams(left) if len(left) <= _REMEMBERED_CHARACTERS else _grams(left)
    second = _grams(right)
    total = first.total() + second.total()
    if total == 0:
        return float(normalised(left) == normalised(right))
    both = first.keys() & second.keys()
    return 2 * sum(min(first[gram], second[gram]) for gram in both) / total


def _grams(text: str) -> Counter[str | tuple[str, str]]:
    folded = _folded(text)
    words = (_LATIN_WORD if folded.isascii() else _WORD).findall(folded)
    grams: Counter[str | tuple[str, str]] = Counter(words)
    grams.update(pairwise(words))
    return grams


_remembered_grams = lru_cache(maxsize=16)(_grams)


def _compare_exact(expected: Json, got: Json) -> Outcome:
    if _type(expected) != _type(got):
        return Outcome("wrong_type")
    try:
        return _truth(same(expected, got))
    except RecursionError:
        # Nested deeper than Python can recurse; no expected value has this shape.
        return Outcome("mismatch")


def same(left: Json, right: Json) -> bool:
    """JSON equality: 1 equals 1.0, but true is not 1."""
    if _type(left) != _type(right):
        return False
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, NUMBERS) and isinstance(right, NUMBERS):
        return numbers.equal(left, right)
    return left == right


def _compare_number(expected: Json, got: Json, comparison: FieldRule) -> Outcome:
    if _type(expected) != "number" or _type(got) != "number":
        return Outcome("wrong_type")
    wanted, found = cast(Number, expected), cast(Number, got)
    if numbers.equal(wanted, found):
        return Outcome("match")
    tolerances = comparison.tolerance, comparison.relative_tolerance
    return _truth(any(tolerances) and numbers.within(wanted, found, *tolerances))


def _compare_set(expected: Json, got: Json) -> Outcome:
    if not isinstance(expected, list) or not isinstance(got, list):
        return Outcome("wrong_type")
    try:
        wanted, found = ({_member(item) for item in items} for items in (expected, got))
    except RecursionError:
        # As in `_compare_exact`.
        return Outcome("mismatch", 0.0)
    union = wanted | found
    return Outcome(
        "match" if wanted == found else "mismatch", len(wanted & found) / len(union) if union else 1.0
    )


def _member(item: Json) -> Hashable:
    return ("string", normalised(item)) if isinstance(item, str) else _canonical(item)


def _canonical(value: Json) -> Hashable:
    """The same hashable value for values that are the `same`."""
    if isinstance(value, dict):
        return "object", frozenset((name, _canonical(inner)) for name, inner in value.items())
    if isinstance(value, list):
        return "array", tuple(map(_canonical, value))
    if isinstance(value, NUMBERS) and not isinstance(value, bool):
        return "number", numbers.exact(value)
    return _type(value), value


def _type(value: Json) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, NUMBERS):
        return "number"
    if isinstance(value, str):
        return "string"
    if value is None:
        return "null"
    return "array" if isinstance(value, list) else "object"


def _truth(matches: bool) -> Outcome:
    return Outcome("match" if matches else "mismatch")
