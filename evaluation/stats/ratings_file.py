"""Read ratings from CSV or JSONL: arrays, and a list of every invalid row.

Each line is validated separately, so one invalid row costs one row. Nothing is guessed: vocabulary, columns
and score range are checked strictly, and the caller decides whether to analyse the valid rows.
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, Literal, NoReturn

from evaluation.stats.ratings_rows import (
    ACTIVE_MS,
    EXPORT_COLUMNS,
    KEY_COLUMNS,
    LENGTHS,
    MAX_PROBLEMS_KEPT,
    SIDES,
    SLICE,
    BadRowError,
    Problem,
    RatingsFile,
    Rows,
    shown,
)
from ftplatform.text.encodings import FIRST_BYTES, not_utf8

__all__ = [
    "EXPORT_COLUMNS",
    "MAX_LINE_BYTES",
    "MAX_PROBLEMS_KEPT",
    "Format",
    "Problem",
    "RatingsFile",
    "read_ratings",
]

Format = Literal["csv", "jsonl"]
MAX_LINE_BYTES = 1_000_000


def read_ratings(
    source: BinaryIO,
    file_format: Format,
    *,
    score_range: tuple[float, float] = (1.0, 10.0),
    simulated: bool = False,
    on_problem: Callable[[Problem], None] | None = None,
) -> RatingsFile:
    """Read ratings with the columns `prompt_id, reviewer_id, preference, candidate_side` and criteria.

    A criterion NAME has two columns `NAME_baseline` and `NAME_candidate`. They hold scores inside
    `score_range`, or only yes and no; a value is empty (null) where not given. Optional columns: `active_ms`
    (milliseconds), `baseline_words` and `candidate_words`, `simulated`, `slice_NAME` for exploration, and the
    other columns of a campaign's export, which are ignored. A file whose header lacks a required column gives
    no ratings, only the problem. `on_problem` is called for every problem, however many there are.
    """
    found = Rows(score_range, on_problem)
    rows = _csv_rows(source, found) if file_format == "csv" else _jsonl_rows(source, found)
    for line, row in rows:
        found.add(line, row)
    return found.result(simulated)


def _lines(source: BinaryIO, rows: Rows) -> Iterator[tuple[int, str]]:
    """Numbered decoded lines that are not blank. Lines that cannot be decoded are reported and skipped."""
    number, skipping = 0, False
    while raw := source.readline(MAX_LINE_BYTES):
        ended = raw.endswith(b"\n")
        if skipping:
            skipping = not ended
            continue
        number += 1
        if not ended and len(raw) >= MAX_LINE_BYTES:
            skipping = True
            rows.problem(number, f"the line is longer than {MAX_LINE_BYTES} bytes")
            continue
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
            if why := not_utf8(raw[:FIRST_BYTES]):
                rows.problem(1, f"the file cannot be read: {why}")
                return
        if b"\0" in raw:
            rows.problem(number, "the line contains a NUL character")
            continue
        try:
            text = raw.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            rows.problem(number, f"byte {error.start + 1} is not valid UTF-8; save the file as UTF-8")
            continue
        if text.strip():
            yield number, text


def _csv_rows(source: BinaryIO, rows: Rows) -> Iterator[tuple[int, Mapping[str, object]]]:
    lines = _lines(source, rows)
    first = next(lines, None)
    if first is None:
        rows.problem(1, "the file is empty")
        return
    header = _csv_fields(first[1])
    if header is None or not _accept_header(first[0], [name.strip() for name in header], rows):
        if header is None:
            rows.problem(first[0], "the header has an unclosed quote")
        return
    columns = [name.strip() for name in header]
    for line, text in lines:
        fields = _csv_fields(text)
        if fields is None:
            rows.problem(line, "the line has an unclosed or misplaced quote")
        elif len(fields) != len(columns):
            rows.problem(line, f"{len(fields)} fields where the header has {len(columns)}")
        else:
            yield line, dict(zip(columns, fields, strict=True))


def _csv_fields(text: str) -> list[str] | None:
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error:
        return None


def _accept_header(line: int, columns: list[str], rows: Rows) -> bool:
    """Report errors in the columns. False if rows cannot be read under this header."""
    missing = [name for name in KEY_COLUMNS if name not in columns]
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    if missing:
        rows.problem(line, f"missing columns: {', '.join(missing)}")
    if repeated:
        rows.problem(line, f"repeated columns: {', '.join(repeated)}")
    if missing or repeated:
        return False
    for name in columns:
        _declare(line, name, columns, rows)
    return True


def _declare(line: int, column: str, columns: list[str], rows: Rows) -> None:
    """Declare a column, or report why it cannot be read."""
    if column == ACTIVE_MS or column in LENGTHS:
        rows.declare_number(column)
        return
    if column in KEY_COLUMNS or column in EXPORT_COLUMNS:
        return
    if column.startswith(SLICE) and column != SLICE:
        rows.declare_slice(column)
        return
    for side, other in (SIDES, SIDES[::-1]):
        criterion = column.removesuffix(side)
        if criterion not in ("", column):
            if criterion + other in columns:
                rows.declare_number(criterion + SIDES[0])
                rows.declare_number(criterion + SIDES[1])
            else:
                rows.problem(line, f"column {column!r} has no {criterion + other!r} beside it")
            return
    rows.problem(line, f"unknown column {shown(column)}")


def _jsonl_rows(source: BinaryIO, rows: Rows) -> Iterator[tuple[int, Mapping[str, object]]]:
    known: set[str] = set(KEY_COLUMNS)
    for line, text in _lines(source, rows):
        row = _json_object(line, text, rows)
        if row is None:
            continue
        new = [name for name in row if name not in known]
        # Report an unknown name once, on its first line.
        for name in new:
            _declare(line, name, [*row, *rows.numbers], rows)
        known.update(new)
        yield line, row


def _json_object(line: int, text: str, rows: Rows) -> Mapping[str, object] | None:
    try:
        row = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_repeats)
    except BadRowError as error:
        rows.problem(line, str(error))
        return None
    except (ValueError, RecursionError):
        rows.problem(line, "the line is not valid JSON")
        return None
    if not isinstance(row, dict):
        rows.problem(line, "the line is not a JSON object")
        return None
    return row


def _no_constant(name: str) -> NoReturn:
    raise BadRowError(f"{name} is not a number that JSON allows")


def _no_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    row = dict(pairs)
    if len(row) != len(pairs):
        raise BadRowError("a name occurs twice in the object")
    return row
