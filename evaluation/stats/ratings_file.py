"""Ratings made anywhere: CSV or JSONL in, arrays and a list of every bad row out.

Each line is judged on its own, so one bad row costs one row. Nothing is guessed: vocabulary, columns and
score range are checked strictly, and the caller decides whether to analyse what is left.
"""

import csv
import json
import math
import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Literal, NoReturn

import numpy as np

from evaluation.stats.ratings import OUTCOMES, FloatArray, Ratings

Format = Literal["csv", "jsonl"]
KEY_COLUMNS = ("prompt_id", "reviewer_id", "preference", "candidate_side")
# What our own export has besides: `simulated` is read, the rest is for people.
EXPORT_COLUMNS = ("simulated", "answers", "comment", "active_ms", "submitted_at")
MAX_LINE_BYTES = 1_000_000
MAX_PROBLEMS_KEPT = 1_000
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SIDES = ("_baseline", "_candidate")
_FLAGS: dict[str, bool] = {"true": True, "false": False, "": False}
_OUTCOME_CODE: dict[str, int] = {name: code for code, name in enumerate(OUTCOMES)}


@dataclass(frozen=True)
class Problem:
    """What is wrong on a line (1-based, as an editor counts)."""

    line: int
    reason: str


@dataclass(frozen=True, eq=False)
class RatingsFile:
    """`ratings` holds the good rows. `problems` keeps the first MAX_PROBLEMS_KEPT; `n_problems` counts all.

    `prompt_labels[code]` and `reviewer_labels[code]` name the codes of `ratings`.
    """

    ratings: Ratings
    problems: tuple[Problem, ...]
    n_problems: int
    n_rows: int
    prompt_labels: tuple[str, ...]
    reviewer_labels: tuple[str, ...]


class _BadRowError(Exception):
    pass


def read_ratings(
    source: BinaryIO,
    file_format: Format,
    *,
    score_range: tuple[float, float] = (1.0, 10.0),
    simulated: bool = False,
) -> RatingsFile:
    """Read ratings with the columns `prompt_id, reviewer_id, preference, candidate_side` and criteria.

    A criterion NAME is a pair of columns `NAME_baseline`, `NAME_candidate` with scores inside
    `score_range`, or empty (null) where not given. The other columns of a campaign's own export may stand in the
    file. A file whose header lacks a column yields no ratings, only the problem.
    """
    collector = _Collector(score_range)
    rows = _csv_rows(source, collector) if file_format == "csv" else _jsonl_rows(source, collector)
    for line, row in rows:
        collector.add(line, row)
    return collector.result(simulated)


class _Collector:
    """Grows the columns row by row in compact arrays: about 30 bytes a row plus 16 per criterion."""

    def __init__(self, score_range: tuple[float, float]) -> None:
        self.low, self.high = score_range
        self.prompts: dict[str, int] = {}
        self.reviewers: dict[str, int] = {}
        self.prompt, self.reviewer = array("q"), array("q")
        self.outcome, self.left = array("b"), array("b")
        self.n_simulated = 0
        self.scores: dict[str, array[float]] = {}
        self.seen: dict[tuple[int, int], int] = {}
        self.problems: list[Problem] = []
        self.n_problems = 0
        self.n_rows = 0

    def problem(self, line: int, reason: str) -> None:
        self.n_problems += 1
        if len(self.problems) < MAX_PROBLEMS_KEPT:
            self.problems.append(Problem(line, reason))

    def declare(self, criterion: str) -> None:
        """Make room for a criterion; rows read before it had no score for it."""
        for side in _SIDES:
            self.scores.setdefault(criterion + side, array("d", [math.nan]) * len(self.prompt))

    def add(self, line: int, row: Mapping[str, object]) -> None:
        self.n_rows += 1
        try:
            outcome = _choice(row, "preference", _OUTCOME_CODE)
            left = _choice(row, "candidate_side", {"left": 1, "right": 0})
            prompt_label, reviewer_label = _label(row, "prompt_id"), _label(row, "reviewer_id")
            scores = {column: self._score(row, column) for column in self.scores}
            simulated = _flag(row, "simulated")
            prompt, reviewer = self.prompts.get(prompt_label), self.reviewers.get(reviewer_label)
            if prompt is not None and reviewer is not None and (prompt, reviewer) in self.seen:
                earlier = self.seen[prompt, reviewer]
                raise _BadRowError(
                    f"reviewer {reviewer_label!r} already rated prompt {prompt_label!r} on line {earlier}"
                )
        except _BadRowError as error:
            self.problem(line, str(error))
            return
        prompt = self.prompts.setdefault(prompt_label, len(self.prompts))
        reviewer = self.reviewers.setdefault(reviewer_label, len(self.reviewers))
        self.seen[prompt, reviewer] = line
        self.prompt.append(prompt)
        self.reviewer.append(reviewer)
        self.outcome.append(outcome)
        self.left.append(left)
        self.n_simulated += simulated
        for column, score in scores.items():
            self.scores[column].append(score)

    def result(self, simulated: bool) -> RatingsFile:
        names = [column.removesuffix(_SIDES[0]) for column in self.scores if column.endswith(_SIDES[0])]
        ratings = Ratings(
            prompt=np.array(self.prompt, dtype=np.int64),
            reviewer=np.array(self.reviewer, dtype=np.int64),
            outcome=np.array(self.outcome, dtype=np.int64),
            candidate_left=np.array(self.left, dtype=np.bool_),
            criteria={name: (self._column(name, 0), self._column(name, 1)) for name in names},
            simulated=simulated or self.n_simulated > 0,
            n_simulated=self.n_simulated if self.n_simulated and not simulated else None,
        )
        kept = tuple(self.problems)
        return RatingsFile(
            ratings, kept, self.n_problems, self.n_rows, tuple(self.prompts), tuple(self.reviewers)
        )

    def _column(self, criterion: str, side: int) -> FloatArray:
        return np.array(self.scores[criterion + _SIDES[side]], dtype=np.float64)

    def _score(self, row: Mapping[str, object], column: str) -> float:
        value = row.get(column)
        if value is None or value == "":
            return math.nan
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise _BadRowError(f"{column} must be a number")
        if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
            raise _BadRowError(f"{column} must be a number, not {_shown(value)}")
        try:
            number = float(value)
        except OverflowError:
            raise _BadRowError(f"{column} is too large") from None
        if not self.low <= number <= self.high:
            shown = f"{self.low:g} and {self.high:g}, not {_shown(value)}"
            raise _BadRowError(f"{column} must lie between {shown}")
        return number


def _choice(row: Mapping[str, object], column: str, codes: Mapping[str, int]) -> int:
    value = row.get(column)
    if not isinstance(value, str) or value not in codes:
        raise _BadRowError(f"{column} must be one of {', '.join(codes)}, not {_shown(value)}")
    return codes[value]


def _flag(row: Mapping[str, object], column: str) -> bool:
    value = str(row.get(column, "")).lower()
    if value not in _FLAGS:
        raise _BadRowError(f"{column} must be true or false, not {_shown(row[column])}")
    return _FLAGS[value]


def _label(row: Mapping[str, object], column: str) -> str:
    value = row.get(column)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise _BadRowError(f"{column} is empty")
    if len(value) > 1000:
        raise _BadRowError(f"{column} is longer than 1000 characters")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise _BadRowError(f"{column} contains a character that text cannot hold")
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _lines(source: BinaryIO, collector: _Collector) -> Iterator[tuple[int, str]]:
    """Decoded lines that are not blank, numbered; undecodable ones are reported and skipped."""
    number, skipping = 0, False
    while raw := source.readline(MAX_LINE_BYTES):
        ended = raw.endswith(b"\n")
        if skipping:
            skipping = not ended
            continue
        number += 1
        if not ended and len(raw) >= MAX_LINE_BYTES:
            skipping = True
            collector.problem(number, f"the line is longer than {MAX_LINE_BYTES} bytes")
            continue
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if b"\0" in raw:
            collector.problem(number, "the line contains a NUL character")
            continue
        try:
            text = raw.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            collector.problem(number, f"byte {error.start + 1} is not valid UTF-8")
            continue
        if text.strip():
            yield number, text


def _csv_rows(source: BinaryIO, collector: _Collector) -> Iterator[tuple[int, Mapping[str, object]]]:
    lines = _lines(source, collector)
    first = next(lines, None)
    if first is None:
        collector.problem(1, "the file is empty")
        return
    header = _csv_fields(first[1])
    if header is None or not _accept_header(first[0], [name.strip() for name in header], collector):
        if header is None:
            collector.problem(first[0], "the header has an unclosed quote")
        return
    columns = [name.strip() for name in header]
    for line, text in lines:
        fields = _csv_fields(text)
        if fields is None:
            collector.problem(line, "the line has an unclosed or misplaced quote")
        elif len(fields) != len(columns):
            collector.problem(line, f"{len(fields)} fields where the header has {len(columns)}")
        else:
            yield line, dict(zip(columns, fields, strict=True))


def _csv_fields(text: str) -> list[str] | None:
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error:
        return None


def _accept_header(line: int, columns: list[str], collector: _Collector) -> bool:
    """Report what is wrong with the columns; False when rows cannot be read under them."""
    missing = [name for name in KEY_COLUMNS if name not in columns]
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    if missing:
        collector.problem(line, f"missing columns: {', '.join(missing)}")
    if repeated:
        collector.problem(line, f"repeated columns: {', '.join(repeated)}")
    if missing or repeated:
        return False
    for name in columns:
        _declare(line, name, columns, collector)
    return True


def _declare(line: int, column: str, columns: list[str], collector: _Collector) -> None:
    if column in KEY_COLUMNS or column in EXPORT_COLUMNS:
        return
    for side, other in (_SIDES, _SIDES[::-1]):
        criterion = column.removesuffix(side)
        if criterion not in ("", column):
            if criterion + other in columns:
                collector.declare(criterion)
            else:
                collector.problem(line, f"column {column!r} has no {criterion + other!r} beside it")
            return
    collector.problem(line, f"unknown column {_shown(column)}")


def _jsonl_rows(source: BinaryIO, collector: _Collector) -> Iterator[tuple[int, Mapping[str, object]]]:
    known: set[str] = set(KEY_COLUMNS)
    for line, text in _lines(source, collector):
        row = _json_object(line, text, collector)
        if row is None:
            continue
        new = [name for name in row if name not in known]
        # Each unknown name is reported once, on the line where it first occurs.
        for name in new:
            _declare(line, name, [*row, *collector.scores], collector)
        known.update(new)
        yield line, row


def _json_object(line: int, text: str, collector: _Collector) -> Mapping[str, object] | None:
    try:
        row = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_repeats)
    except _BadRowError as error:
        collector.problem(line, str(error))
        return None
    except (ValueError, RecursionError):
        collector.problem(line, "the line is not valid JSON")
        return None
    if not isinstance(row, dict):
        collector.problem(line, "the line is not a JSON object")
        return None
    return row


def _no_constant(name: str) -> NoReturn:
    raise _BadRowError(f"{name} is not a number that JSON allows")


def _no_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    row = dict(pairs)
    if len(row) != len(pairs):
        raise _BadRowError("a name occurs twice in the object")
    return row
