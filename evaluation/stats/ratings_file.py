"""Read ratings from any file that says them clearly: arrays, and a list of every invalid row.

Each row is validated separately, so one invalid row costs one row. What could mean two things is refused with the
reason; the caller decides whether to analyse the valid rows.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, BinaryIO

from evaluation.stats.ratings_layouts import MODELS, Layout, layout_of
from evaluation.stats.ratings_rows import (
    ACTIVE_MS,
    CLUSTER,
    EXPORT_COLUMNS,
    KEY_COLUMNS,
    LENGTHS,
    MAX_PROBLEMS_KEPT,
    SHOWN_SIDES,
    SIDE,
    SIDES,
    SIMULATED,
    SLICE,
    TEXTS,
    Problem,
    RatingsFile,
    Reading,
    Rows,
    shown,
)
from evaluation.stats.ratings_source import MAX_LINE, FileError, Sheet, open_sheet

__all__ = [
    "EXPORT_COLUMNS",
    "MAX_LINE",
    "MAX_PROBLEMS_KEPT",
    "FileError",
    "Problem",
    "RatingsFile",
    "Reading",
    "read_ratings",
]

_FORMATS = {"csv": "CSV", "json_lines": "JSON lines", "json_list": "JSON", "parquet": "Parquet"}
_READ = {*KEY_COLUMNS, SIDE, SIMULATED, CLUSTER}
_OURS = _READ | {*EXPORT_COLUMNS, *LENGTHS}
_MOST_COLUMNS = 1000


def read_ratings(
    source: BinaryIO,
    reading: Reading | None = None,
    *,
    simulated: bool = False,
    with_texts: bool = False,
    on_problem: Callable[[Problem], None] | None = None,
) -> RatingsFile:
    """Read ratings with the columns `prompt_id, reviewer_id, preference`, or an export of another tool.

    Optional columns: `candidate_side`; for a criterion NAME the scores `NAME_baseline` and `NAME_candidate`, or
    `NAME_left` and `NAME_right`, inside the score range or only yes and no, empty where not given; `active_ms`
    (milliseconds), `baseline_words` and `candidate_words`, `simulated`, `cluster`, `slice_NAME` for exploration.
    Other columns are listed as ignored. `reading` says how to read other words. `source` must be seekable and stays
    open. `with_texts` keeps the prompts and responses. `on_problem` is called for every invalid row. Raises
    FileError if the file as a whole cannot be read.
    """
    reading = reading or Reading()
    rows = Rows(reading, on_problem, with_texts=with_texts)
    with open_sheet(source) as sheet:
        rows.decimal_comma = sheet.decimal_comma
        columns = _Columns(reading, rows)
        layout = layout_of(sheet.columns) if sheet.columns is not None else None
        _require_distinct(sheet.columns or [])
        if sheet.columns is not None and layout is None:
            columns.require(dict.fromkeys(sheet.columns))
        layout = _read_all(sheet, layout, columns, rows)
    if not rows.n_rows and sheet.columns is None and not rows.n_other:
        raise FileError(1, "the file is empty" if layout is None else "it holds no answers")
    columns.require_mapped()
    return replace(
        rows.result(simulated),
        n_blank=sheet.blank,
        ignored=tuple(columns.ignored),
        format=_FORMATS[sheet.kind] + (f", {layout.title}" if layout else ""),
        encoding=_encoding_name(sheet.encoding),
    )


def _require_distinct(names: list[str]) -> None:
    if repeated := sorted({name for name in names if name and names.count(name) > 1}):
        raise FileError(1, f"repeated columns: {', '.join(repeated)}")


def _encoding_name(encoding: str) -> str:
    return {"cp1252": "Windows-1252", "parquet": ""}.get(encoding, encoding.upper())


def _read_all(sheet: Sheet, layout: Layout | None, columns: "_Columns", rows: Rows) -> Layout | None:
    """Add every rating of the sheet. Returns the layout, which only the first row of a JSON file shows."""
    known = sheet.columns is not None
    line = 1
    for line, row in sheet.rows:
        if isinstance(row, str):
            rows.bad(line, row)
            continue
        if not known:
            layout, known = layout_of(row), True
        columns.reads = layout.reads if layout else columns.reads
        if layout is None:
            columns.add(line, row)
            continue
        rows.require_models = all(name in row for name in MODELS) or "feedback_group_id" in row
        for part in _unfolded(layout, row):
            if isinstance(part, str):
                rows.bad(line, part)
            else:
                columns.add(line, part)
    if layout is not None:
        for _ in range(layout.left_over()):
            rows.bad(line, "a feedback group has a score for one run only")
    return layout


def _unfolded(layout: Layout, row: Mapping[str, object]) -> Iterator[Mapping[str, object] | str]:
    try:
        yield from layout.unfold(row)
    except (TypeError, ValueError, AttributeError, KeyError, LookupError):
        yield f"the row is not what {layout.title} holds"


class _Columns:
    """Gives columns our names, declares each once, and lists those that are not read."""

    def __init__(self, reading: Reading, rows: Rows) -> None:
        self._reading, self._rows = reading, rows
        self._mapped = {new: old.strip() for new, old in reading.columns.items()}
        self._met: set[str] = set()
        self._known: frozenset[str] = frozenset()
        self._renamed: dict[str, str] = {}
        self._required = False
        self._silent = {*_READ, *MODELS, *(TEXTS if rows.texts is not None else ())}
        self.reads: frozenset[str] = frozenset()
        # A dictionary, because the order matters and names must not repeat.
        self.ignored: dict[str, None] = {}

    def require(self, row: Mapping[str, object]) -> None:
        """Declare the columns of a header. Raises FileError if ratings cannot be read under it."""
        names = list(row)
        self._meet(names, self._ours(row))
        self._require(self._ours(row), names)

    def add(self, line: int, row: Mapping[str, Any]) -> None:
        if not row.keys() <= self._known:
            self._meet(list(row), self._ours(row))
        ours = self._ours(row)
        if not self._required:
            self._require(ours, list(row))
        self._rows.add(line, ours)

    def require_mapped(self) -> None:
        """Refuse a mapping from a column that the file does not have."""
        for new, old in self._mapped.items():
            if old not in self._met:
                has = ", ".join(sorted(self._met)[:_SHOWN])
                raise FileError(1, f"there is no column {shown(old)} to read {new} from; the file has {has}")

    def _require(self, ours: Mapping[str, object], names: list[str]) -> None:
        if missing := [name for name in KEY_COLUMNS if name not in ours]:
            has = ", ".join(name for name in names[:_SHOWN] if name)
            raise FileError(
                1,
                f"missing columns: {', '.join(missing)}. The file has {has}; say which of them to read "
                f"(for example {missing[0]}=COLUMN)",
            )
        self._required = True

    def _ours(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row under our names. A mapped column takes the place of one that has the name already."""
        if not self._renamed and not self._mapped:
            return row if isinstance(row, dict) else dict(row)
        found = {
            self._renamed.get(name, name): value for name, value in row.items() if name not in self._mapped
        }
        found.update({new: row[old] for new, old in self._mapped.items() if old in row})
        return found

    def _meet(self, names: list[str], ours: dict[str, Any]) -> None:
        """Declare the columns that no earlier row had."""
        new = [name for name in names if name not in self._known]
        if len(self._met) + len(new) > _MOST_COLUMNS:
            raise FileError(1, f"the file has more than {_MOST_COLUMNS:,} columns")
        self._met |= {*new}
        self._known |= {*new}
        for name in new:
            plain = name.strip().casefold().replace(" ", "_")
            if plain != name and plain in _OURS and plain not in ours:
                self._renamed[name] = plain
        read_as = {old: new for new, old in self._mapped.items()}
        taken = {*ours, *self._rows.numbers, *(self._renamed.get(name, name) for name in names)}
        for name in dict.fromkeys(new):
            self._declare(name, read_as.get(name) or self._renamed.get(name, name), taken)

    def _declare(self, name: str, column: str, taken: set[str]) -> None:
        """Declare a column under our name, or list it as ignored."""
        if column == "" or name.startswith("Unnamed: "):
            return  # a column without a name, such as the row numbers that pandas writes
        if name in self._reading.ignore:
            self.ignored[name] = None
        elif column == ACTIVE_MS or column in LENGTHS:
            self._rows.declare_number(column)
        elif column == CLUSTER or (column.startswith(SLICE) and column != SLICE):
            self._rows.declare_slice(column)
        elif (
            column in _READ
            or name in self.reads
            or (column in TEXTS and self._rows.texts is not None)
            or column in MODELS
        ):
            return
        elif not any(self._criterion(column, *sides, taken) for sides in (SIDES, SHOWN_SIDES)):
            self.ignored[name] = None

    def _criterion(self, column: str, first: str, second: str, taken: set[str]) -> bool:
        """Declare both columns of a criterion; false if `column` is not one of two."""
        for side, other in ((first, second), (second, first)):
            criterion = column.removesuffix(side)
            if criterion not in ("", column) and criterion + other in taken:
                self._rows.declare_number(criterion + first)
                self._rows.declare_number(criterion + second)
                return True
        return False


_SHOWN = 20
