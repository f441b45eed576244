"""Read one row of a ratings file at a time: validate each column, and append valid rows to the arrays."""

import math
import re
from array import array
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evaluation.stats.arrays import FloatArray, IntArray
from evaluation.stats.ratings import OUTCOMES, Ratings, Slicing

KEY_COLUMNS = ("prompt_id", "reviewer_id", "preference", "candidate_side")
SIMULATED = "simulated"
ACTIVE_MS = "active_ms"
# Further columns of our own export. Two of them are read; the others are for people.
EXPORT_COLUMNS = (SIMULATED, "answers", "comment", ACTIVE_MS, "submitted_at")
LENGTHS = ("baseline_words", "candidate_words")
SLICE = "slice_"
SIDES = ("_baseline", "_candidate")
MAX_PROBLEMS_KEPT = 1_000
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_OUTCOME_CODE: dict[str, int] = {name: code for code, name in enumerate(OUTCOMES)}
_FLAGS: dict[str, bool] = {"true": True, "false": False, "": False}
_YES_NO = {"yes": 1.0, "no": 0.0}
# A larger number of words or milliseconds is an error in the file.
_LARGEST = 1e9
# Prompt and reviewer are combined in one number. There are always fewer reviewers than 2 to this power.
_CODE_BITS = 32
_MOST_JUDGED = 10_000
Kind = Literal["score", "yes_no"]


@dataclass(frozen=True)
class Problem:
    """An error on a line (1-based, as in an editor)."""

    line: int
    reason: str


@dataclass(frozen=True, eq=False)
class RatingsFile:
    """`ratings` holds the valid rows. `problems` keeps the first MAX_PROBLEMS_KEPT; `n_problems` counts all.

    `prompt_labels[code]` and `reviewer_labels[code]` are the labels of the codes in `ratings`. `active_ms`
    (n,) is NaN where not given; it is None if the file has no such column.
    """

    ratings: Ratings
    problems: tuple[Problem, ...]
    n_problems: int
    n_rows: int
    prompt_labels: tuple[str, ...]
    reviewer_labels: tuple[str, ...]
    active_ms: FloatArray | None


class BadRowError(Exception):
    """The row is invalid. The message gives the reason."""


class Rows:
    """Collects columns row by row in compact arrays: about 30 bytes per row, plus 8 for each further number."""

    def __init__(
        self, score_range: tuple[float, float], on_problem: Callable[[Problem], None] | None = None
    ) -> None:
        self.low, self.high = score_range
        self.on_problem = on_problem
        self.prompts: dict[str, int] = {}
        self.reviewers: dict[str, int] = {}
        self.prompt, self.reviewer = array("q"), array("q")
        self.outcome, self.left = array("b"), array("b")
        self.n_simulated = 0
        self.numbers: dict[str, array[float]] = {}
        self.kinds: dict[str, Kind] = {}
        self.labels: dict[str, dict[str, int]] = {}
        self.slices: dict[str, array[int]] = {}
        self.seen: dict[int, int] = {}
        # Cache of parsed numbers by column and text, because scores repeat.
        self.judged: dict[str, dict[object, float]] = {}
        self.problems: list[Problem] = []
        self.n_problems = 0
        self.n_rows = 0

    def problem(self, line: int, reason: str) -> None:
        found = Problem(line, reason)
        self.n_problems += 1
        if len(self.problems) < MAX_PROBLEMS_KEPT:
            self.problems.append(found)
        if self.on_problem is not None:
            self.on_problem(found)

    def declare_number(self, column: str) -> None:
        """Add a column of numbers; earlier rows have none."""
        self.numbers.setdefault(column, array("d", [math.nan]) * len(self.prompt))
        self.judged.setdefault(column, {"": math.nan})

    def declare_slice(self, column: str) -> None:
        """Add a slicing; earlier rows belong to no part."""
        self.labels.setdefault(column, {})
        self.slices.setdefault(column, array("q", [-1]) * len(self.prompt))

    def add(self, line: int, row: Mapping[str, object]) -> None:
        self.n_rows += 1
        try:
            outcome = _choice(row, "preference", _OUTCOME_CODE)
            left = _choice(row, "candidate_side", {"left": 1, "right": 0})
            prompt_label = _label(row, "prompt_id", self.prompts)
            reviewer_label = _label(row, "reviewer_id", self.reviewers)
            kinds: dict[str, Kind] = {}
            numbers = {column: self._number(row, column, kinds) for column in self.numbers}
            parts = {column: _part(row, column) for column in self.slices}
            simulated = _flag(row, SIMULATED)
            prompt = self.prompts.get(prompt_label, len(self.prompts))
            reviewer = self.reviewers.get(reviewer_label, len(self.reviewers))
            earlier = self.seen.get(prompt << _CODE_BITS | reviewer)
            if earlier is not None:
                raise BadRowError(
                    f"reviewer {reviewer_label!r} already rated prompt {prompt_label!r} on line {earlier}"
                )
        except BadRowError as error:
            self.problem(line, str(error))
            return
        self.kinds.update(kinds)
        self.prompts[prompt_label] = prompt
        self.reviewers[reviewer_label] = reviewer
        self.seen[prompt << _CODE_BITS | reviewer] = line
        self.prompt.append(prompt)
        self.reviewer.append(reviewer)
        self.outcome.append(outcome)
        self.left.append(left)
        self.n_simulated += simulated
        for column, number in numbers.items():
            self.numbers[column].append(number)
        for column, part in parts.items():
            known = self.labels[column]
            self.slices[column].append(known.setdefault(part, len(known)) if part else -1)

    def result(self, simulated: bool) -> RatingsFile:
        names = [column.removesuffix(SIDES[0]) for column in self.numbers if column.endswith(SIDES[0])]
        pairs = {name: (self._column(name + SIDES[0]), self._column(name + SIDES[1])) for name in names}
        baseline_words, candidate_words = (self._known(column) for column in LENGTHS)
        both = baseline_words is not None and candidate_words is not None
        ratings = Ratings(
            prompt=np.array(self.prompt, dtype=np.int64),
            reviewer=np.array(self.reviewer, dtype=np.int64),
            outcome=np.array(self.outcome, dtype=np.int64),
            candidate_left=np.array(self.left, dtype=np.bool_),
            criteria={name: pair for name, pair in pairs.items() if self.kinds.get(name) != "yes_no"},
            simulated=simulated or self.n_simulated > 0,
            n_simulated=self.n_simulated if self.n_simulated and not simulated else None,
            yes_no={name: pair for name, pair in pairs.items() if self.kinds.get(name) == "yes_no"},
            slices={
                column.removeprefix(SLICE): Slicing(_codes(codes), tuple(self.labels[column]))
                for column, codes in self.slices.items()
            },
            lengths=(baseline_words, candidate_words) if both else None,  # type: ignore[arg-type]
        )
        return RatingsFile(
            ratings,
            tuple(self.problems),
            self.n_problems,
            self.n_rows,
            tuple(self.prompts),
            tuple(self.reviewers),
            self._known(ACTIVE_MS),
        )

    def _column(self, column: str) -> FloatArray:
        return np.array(self.numbers[column], dtype=np.float64)

    def _known(self, column: str) -> FloatArray | None:
        return self._column(column) if column in self.numbers else None

    def _number(self, row: Mapping[str, object], column: str, kinds: dict[str, Kind]) -> float:
        """The number in a column. A first answer of yes or no makes both columns of its name a yes/no outcome."""
        value = row.get(column)
        judged = self.judged[column]
        if isinstance(value, str) and value in judged:
            return judged[value]
        number = self._judge(value, column, kinds)
        # Do not cache a value if this row decides the kind of its column: an invalid row leaves the kind
        # undecided.
        if isinstance(value, str) and not kinds.keys() - self.kinds.keys() and len(judged) < _MOST_JUDGED:
            judged[value] = number
        return number

    def _judge(self, value: object, column: str, kinds: dict[str, Kind]) -> float:
        if value is None:
            return math.nan
        if column == ACTIVE_MS or column in LENGTHS:
            return _between(column, value, 0.0, _LARGEST)
        name = column.removesuffix(SIDES[0]).removesuffix(SIDES[1])
        answer = _yes_no(value)
        found: Kind = "score" if answer is None else "yes_no"
        if kinds.setdefault(name, self.kinds.get(name, found)) == "yes_no":
            if answer is None:
                raise BadRowError(f"{column} must be yes or no, as in the rows before, not {shown(value)}")
            return answer
        return _between(column, value, self.low, self.high)


def _yes_no(value: object) -> float | None:
    if isinstance(value, bool):
        return float(value)
    return _YES_NO.get(value) if isinstance(value, str) else None


def _between(column: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BadRowError(f"{column} must be a number")
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        raise BadRowError(f"{column} must be a number, not {shown(value)}")
    try:
        number = float(value)
    except OverflowError:
        raise BadRowError(f"{column} is too large") from None
    if not low <= number <= high:
        raise BadRowError(f"{column} must lie between {low:g} and {high:g}, not {shown(value)}")
    return number


def _codes(codes: "array[int]") -> IntArray:
    return np.array(codes, dtype=np.int64)


def _choice(row: Mapping[str, object], column: str, codes: Mapping[str, int]) -> int:
    value = row.get(column)
    if not isinstance(value, str) or value not in codes:
        raise BadRowError(f"{column} must be one of {', '.join(codes)}, not {shown(value)}")
    return codes[value]


def _flag(row: Mapping[str, object], column: str) -> bool:
    value = str(row.get(column, "")).lower()
    if value not in _FLAGS:
        raise BadRowError(f"{column} must be true or false, not {shown(row[column])}")
    return _FLAGS[value]


def _part(row: Mapping[str, object], column: str) -> str:
    value = row.get(column)
    return "" if value is None or value == "" else _label(row, column)


def _label(row: Mapping[str, object], column: str, known: Container[object] = ()) -> str:
    value = row.get(column)
    if isinstance(value, str) and value in known:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise BadRowError(f"{column} is empty")
    if len(value) > 1000:
        raise BadRowError(f"{column} is longer than 1000 characters")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise BadRowError(f"{column} contains a character that text cannot hold")
    return value


def shown(value: object) -> str:
    """A value, shortened, as messages quote it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
