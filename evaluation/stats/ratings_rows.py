"""Read one rating at a time: validate each value, and append valid ratings to the arrays."""

import math
import re
from array import array
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from evaluation.stats.arrays import BoolArray, FloatArray, IntArray
from evaluation.stats.ratings import OUTCOMES, Ratings, Slicing
from evaluation.stats.ratings_layouts import MODELS
from evaluation.stats.ratings_source import FileError
from evaluation.stats.ratings_words import (
    Answer,
    Role,
    Vocabulary,
    alike,
    clean,
    flag_of,
    side_of,
    whole,
    yes_no_of,
)

KEY_COLUMNS = ("prompt_id", "reviewer_id", "preference")
SIDE = "candidate_side"
SIMULATED = "simulated"
ACTIVE_MS = "active_ms"
CLUSTER = "cluster"
# Further columns of our own export. Two of them are read; the others are for people.
EXPORT_COLUMNS = (SIMULATED, "answers", "comment", ACTIVE_MS, "submitted_at")
LENGTHS = ("baseline_words", "candidate_words")
TEXTS = ("prompt", "baseline", "candidate")
SLICE = "slice_"
SIDES = ("_baseline", "_candidate")
SHOWN_SIDES = ("_left", "_right")
MAX_PROBLEMS_KEPT = 1_000
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_OUTCOME_CODE: dict[str, int] = {name: code for code, name in enumerate(OUTCOMES)}
# A larger number of words or milliseconds is an error in the file.
_LARGEST = 1e9
# Prompt and reviewer are combined in one number. There are always fewer reviewers than 2 to this power.
_CODE_BITS = 32
_MOST_JUDGED = 10_000
_MOST_MODELS = 20
_MOST_TEXT = 100_000
Kind = Literal["score", "yes_no"]
Texts = tuple[str, str, str]


@dataclass(frozen=True)
class Reading:
    """How to read a file that does not use our words.

    `columns` maps a column of ours to its name in the file, `answers` an answer (win, tie, both_bad, loss, left,
    right) to its text in the file. `ignore` names columns not to read. `left_is` says who stands behind "left",
    "A" and "first" in the whole file. `candidate` and `baseline` are names of systems: a file with model_a and
    model_b may hold other pairs, which are left out. `score_range` is the lowest and highest valid score.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    ignore: frozenset[str] = frozenset()
    left_is: Role | None = None
    candidate: str = ""
    baseline: str = ""
    score_range: tuple[float, float] = (1.0, 10.0)

    @property
    def roles(self) -> dict[str, Role]:
        return {clean(self.candidate): "candidate", clean(self.baseline): "baseline"}


@dataclass(frozen=True)
class Problem:
    """An error on a line (1-based, as in an editor)."""

    line: int
    reason: str


@dataclass(frozen=True, eq=False)
class RatingsFile:
    """`ratings` holds the valid rows. `problems` keeps the first MAX_PROBLEMS_KEPT; `n_bad` counts all.

    `n_rows` counts the ratings read, valid and invalid; `n_other` those left out because they compare other models.
    `prompt_labels[code]` and `reviewer_labels[code]` are the labels of the codes in `ratings`. `side_known` (n,)
    is false where the file does not say on which side the candidate was; `candidate_left` is false there.
    `active_ms` (n,) is NaN where not given; it is None if the file has no such column. `cluster` groups the ratings
    by topic, customer or document, if the file has a column for it. `alike` lists names of reviewers that differ in
    case or spaces only. `texts[code]` are a prompt and its responses (baseline, candidate), "" where not given; None
    unless asked for. `simulated_reviewers` are the codes of reviewers with simulated ratings.
    """

    ratings: Ratings
    problems: tuple[Problem, ...]
    n_bad: int
    n_rows: int
    n_other: int
    prompt_labels: tuple[str, ...]
    reviewer_labels: tuple[str, ...]
    side_known: BoolArray
    active_ms: FloatArray | None
    cluster: Slicing | None
    alike: tuple[tuple[str, ...], ...]
    texts: tuple[Texts, ...] | None
    simulated_reviewers: frozenset[int]
    n_blank: int = 0
    ignored: tuple[str, ...] = ()
    format: str = ""
    encoding: str = ""

    @property
    def sides_known(self) -> bool:
        """Whether the position of the candidate is known for every rating, so that it can be checked."""
        return bool(self.side_known.all())


class BadRowError(Exception):
    """The row is invalid. The message gives the reason."""


class Rows:
    """Collects columns row by row in compact arrays: about 30 bytes per row, plus 8 for each further number."""

    def __init__(
        self,
        reading: Reading,
        on_problem: Callable[[Problem], None] | None = None,
        *,
        with_texts: bool = False,
    ) -> None:
        self.reading, self.roles = reading, reading.roles
        self.named = bool(reading.candidate and reading.baseline)
        self.words = Vocabulary(reading.answers, self.roles if self.named else {})
        self.on_problem = on_problem
        self.decimal_comma = self.require_models = False
        self.prompts: dict[str, int] = {}
        self.reviewers: dict[str, int] = {}
        self.prompt, self.reviewer = array("q"), array("q")
        self.outcome, self.left, self.known = array("b"), array("b"), array("b")
        self.n_simulated = self.n_rows = self.n_bad = self.n_other = 0
        self.numbers: dict[str, array[float]] = {}
        self.kinds: dict[str, Kind] = {}
        self.labels: dict[str, dict[str, int]] = {}
        self.slices: dict[str, array[int]] = {}
        self.seen: dict[int, int] = {}
        # Caches of judged values, because answers and scores repeat.
        self.judged: dict[str, dict[object, float]] = {}
        self.answers: dict[str, Answer] = {}
        self.counting: set[str] = set()
        self.models: set[str] = set()
        self.simulated_reviewers: set[int] = set()
        self.texts: list[Texts] | None = [] if with_texts else None
        self.problems: list[Problem] = []

    def bad(self, line: int, reason: str) -> None:
        """Count one rating that cannot be used."""
        found = Problem(line, reason)
        self.n_rows += 1
        self.n_bad += 1
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

    def add(self, line: int, row: Mapping[str, Any]) -> None:
        try:
            found = self._outcome(line, row)
            if found is None:
                self.n_other += 1
                return
            outcome, left, known = found
            prompt_label = _label(row, "prompt_id", self.prompts)
            reviewer_label = _label(row, "reviewer_id", self.reviewers)
            kinds: dict[str, Kind] = {}
            numbers = {column: self._number(row, column, kinds) for column in self.numbers}
            parts = {column: _part(row, column) for column in self.slices}
            simulated = _flag(row, SIMULATED)
            texts = self._texts(row) if prompt_label not in self.prompts else None
            prompt = self.prompts.get(prompt_label, len(self.prompts))
            reviewer = self.reviewers.get(reviewer_label, len(self.reviewers))
            earlier = self.seen.get(prompt << _CODE_BITS | reviewer)
            if earlier is not None:
                raise BadRowError(
                    f"reviewer {reviewer_label!r} already rated prompt {prompt_label!r} on line {earlier}"
                )
        except BadRowError as error:
            self.bad(line, str(error))
            return
        self.n_rows += 1
        self.kinds.update(kinds)
        self.prompts[prompt_label] = prompt
        self.reviewers[reviewer_label] = reviewer
        self.seen[prompt << _CODE_BITS | reviewer] = line
        self.prompt.append(prompt)
        self.reviewer.append(reviewer)
        self.outcome.append(outcome)
        self.left.append(left)
        self.known.append(known)
        self.n_simulated += simulated
        if simulated:
            self.simulated_reviewers.add(reviewer)
        if self.texts is not None and texts is not None:
            self.texts.append(texts)
        for column, number in numbers.items():
            self.numbers[column].append(number)
        for column, part in parts.items():
            labels = self.labels[column]
            self.slices[column].append(labels.setdefault(part, len(labels)) if part else -1)

    def _outcome(self, line: int, row: Mapping[str, Any]) -> tuple[int, bool, bool] | None:
        """Outcome, whether the candidate was on the left, and whether that is known; None if the row compares other
        models. Raises FileError if nothing says who was on the left."""
        models = self._models(row)
        if models is not None and not self.named:
            return None
        if models is not None and self.named and {*models} != {*self.roles}:
            return None
        answer = self._answer(row)
        side = side_of(row.get(SIDE))
        if side is None:
            raise BadRowError(f"{SIDE} must be left, right or empty, not {shown(row[SIDE])}")
        if models is not None:
            first = self.roles[models[0]] == "candidate"
            side = side if SIDE in row else "left" if first else "right"
        else:
            if not side and self.reading.left_is:
                side = "left" if self.reading.left_is == "candidate" else "right"
            first = side == "left"
        if answer in ("left", "right"):
            if models is None and not side:
                raise FileError(line, _NO_SIDE)
            answer = "win" if (answer == "left") == first else "loss"
        return _OUTCOME_CODE[answer], side == "left", bool(side)

    def _models(self, row: Mapping[str, Any]) -> tuple[str, str] | None:
        if not (self.named or self.require_models) or not all(name in row for name in MODELS):
            return None
        first, second = (clean(str(row[name])) for name in MODELS)
        if len(self.models) < _MOST_MODELS:
            self.models |= {first, second}
        return first, second

    def _answer(self, row: Mapping[str, Any]) -> Answer:
        value = row.get("preference")
        text = str(value)
        if text in self.answers and not isinstance(value, list | dict):
            return self.answers[text]
        answer, number = self.words.answer(value), self.words.is_number(value)
        # The first answer decides whether the file's answers are numbers or words.
        if answer is None or (self.answers and number != bool(self.counting)):
            names = "1, 0, -1" if self.counting else ", ".join(_OUTCOME_CODE)
            raise BadRowError(f"preference must be one of {names}, not {shown(value)}")
        if number:
            self.counting.add(whole(clean(text)))
        self.answers[text] = answer
        return answer

    def _texts(self, row: Mapping[str, Any]) -> Texts | None:
        if self.texts is None:
            return None
        first, second, third = (_text(row, name) for name in TEXTS)
        return first, second, third

    def result(self, simulated: bool) -> RatingsFile:
        """Raises FileError if the answers of the whole file do not say what they mean."""
        self._require_names()
        if "0" in self.counting and "-1" not in self.counting:
            raise FileError(1, _WHAT_IS_ZERO)
        left = np.array(self.left, dtype=np.bool_)
        known = np.array(self.known, dtype=np.bool_)
        pairs = self._pairs(left, known)
        baseline_words, candidate_words = (self._known(column) for column in LENGTHS)
        both = baseline_words is not None and candidate_words is not None
        slices = {
            column: Slicing(_codes(codes), tuple(self.labels[column]))
            for column, codes in self.slices.items()
        }
        cluster = slices.pop(CLUSTER, None)
        ratings = Ratings(
            prompt=np.array(self.prompt, dtype=np.int64),
            reviewer=np.array(self.reviewer, dtype=np.int64),
            outcome=np.array(self.outcome, dtype=np.int64),
            candidate_left=left,
            criteria={name: pair for name, pair in pairs.items() if self.kinds.get(name) != "yes_no"},
            simulated=simulated or self.n_simulated > 0,
            n_simulated=self.n_simulated if self.n_simulated and not simulated else None,
            yes_no={name: pair for name, pair in pairs.items() if self.kinds.get(name) == "yes_no"},
            slices={column.removeprefix(SLICE): one for column, one in slices.items()},
            lengths=(baseline_words, candidate_words) if both else None,  # type: ignore[arg-type]
        )
        return RatingsFile(
            ratings=ratings,
            problems=tuple(self.problems),
            n_bad=self.n_bad,
            n_rows=self.n_rows,
            n_other=self.n_other,
            prompt_labels=tuple(self.prompts),
            reviewer_labels=tuple(self.reviewers),
            side_known=known,
            active_ms=self._known(ACTIVE_MS),
            cluster=cluster,
            alike=_alike(self.reviewers),
            texts=None if self.texts is None else tuple(self.texts),
            simulated_reviewers=frozenset(self.simulated_reviewers),
        )

    def _require_names(self) -> None:
        """Refuse a file of named models if the two to compare are not named, or never meet."""
        names = ", ".join(sorted(self.models))
        if self.models and not self.named:
            raise FileError(1, f"it compares {names}; name the baseline and the candidate")
        if self.n_other and not self.prompt and not self.n_bad:
            wanted = f"{self.reading.candidate} with {self.reading.baseline}"
            raise FileError(1, f"no row compares {wanted}; the models in the file are {names}")

    def _pairs(self, left: BoolArray, known: BoolArray) -> dict[str, tuple[FloatArray, FloatArray]]:
        """The (baseline, candidate) values of every criterion. Those of an unknown side are not given."""
        names = [column.removesuffix(SIDES[0]) for column in self.numbers if column.endswith(SIDES[0])]
        pairs = {name: (self._column(name + SIDES[0]), self._column(name + SIDES[1])) for name in names}
        for column in self.numbers:
            if column.endswith(SHOWN_SIDES[0]):
                name = column.removesuffix(SHOWN_SIDES[0])
                first, second = (self._column(name + side) for side in SHOWN_SIDES)
                baseline, candidate = np.where(left, second, first), np.where(left, first, second)
                pairs[name] = (np.where(known, baseline, np.nan), np.where(known, candidate, np.nan))
        return pairs

    def _column(self, column: str) -> FloatArray:
        return np.array(self.numbers[column], dtype=np.float64)

    def _known(self, column: str) -> FloatArray | None:
        return self._column(column) if column in self.numbers else None

    def _number(self, row: Mapping[str, Any], column: str, kinds: dict[str, Kind]) -> float:
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

    def _judge(self, value: Any, column: str, kinds: dict[str, Kind]) -> float:
        if value is None or (isinstance(value, str) and not value.strip()):
            return math.nan
        if self.decimal_comma and isinstance(value, str) and _DECIMAL_COMMA.fullmatch(value.strip()):
            value = value.replace(",", ".")
        if column == ACTIVE_MS or column in LENGTHS:
            return _between(column, value, 0.0, _LARGEST)
        name = next(column.removesuffix(side) for side in (*SIDES, *SHOWN_SIDES) if column.endswith(side))
        answer = yes_no_of(value)
        found: Kind = "score" if answer is None else "yes_no"
        if kinds.setdefault(name, self.kinds.get(name, found)) == "yes_no":
            if answer is None:
                raise BadRowError(f"{column} must be yes or no, as in the rows before, not {shown(value)}")
            return answer
        return _between(column, value, *self.reading.score_range)


_NO_SIDE = (
    "the answers are sides (left and right, or A and B), and nothing says on which side the candidate was: give a "
    "column candidate_side, or say who is left in the whole file"
)
_WHAT_IS_ZERO = "0 may be a tie or a loss, because no answer is −1: say which of them it is (tie=0 or loss=0)"


def _alike(names: Container[str] | Mapping[str, int]) -> tuple[tuple[str, ...], ...]:
    groups: dict[str, list[str]] = {}
    for name in names:  # type: ignore[union-attr]
        groups.setdefault(alike(name), []).append(name)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def _between(column: str, value: Any, low: float, high: float) -> float:
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


def _flag(row: Mapping[str, Any], column: str) -> bool:
    value = flag_of(row.get(column))
    if value is None:
        raise BadRowError(f"{column} must be true or false, not {shown(row[column])}")
    return value


def _text(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column)
    if not isinstance(value, str) or "\0" in value:
        return ""
    if len(value) > _MOST_TEXT:
        raise BadRowError(f"{column} is longer than {_MOST_TEXT:,} characters")
    return value


def _part(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column)
    return "" if value is None or value == "" else _label(row, column)


def _label(row: Mapping[str, Any], column: str, known: Container[object] = ()) -> str:
    value = row.get(column)
    if isinstance(value, str) and value in known:
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise BadRowError(f"{column} is empty")
    if len(value) > 1000:
        raise BadRowError(f"{column} is longer than 1000 characters")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise BadRowError(f"{column} contains a character that text cannot hold")
    # Our CSV exports put an apostrophe before an id that a spreadsheet would run as a formula.
    guarded = value[0] == "'" and value[1:2] in ("=", "+", "-", "@", "|")
    return clean(value[1:] if guarded else value)


def shown(value: object) -> str:
    """A value, shortened, as messages quote it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
