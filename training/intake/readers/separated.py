"""Read CSV: cells separated by commas, semicolons, tabs or bars, below one line of column names."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import IO, Protocol

from django.conf import settings

from ftplatform.errors import DomainError
from training.intake.readers.lines import (
    Cells,
    RawRow,
    ReadFacts,
    RowError,
    Source,
    bounded_lines,
    failing,
    is_text,
    part_read,
    require_columns,
    require_short,
    shown,
)

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
# The first line with which spreadsheets name the separator.
_DECLARED = re.compile(r'("?)sep=([,;\t|:^~#])\1\s*', re.IGNORECASE)
_LINES_AHEAD, _CHARACTERS_AHEAD = 20, 2**20


def read(file: IO[bytes], facts: ReadFacts) -> Source:
    """Rows by the line on which each begins. Raises DomainError `invalid_header`."""
    csv.field_size_limit(settings.UPLOAD_MAX_ROW_BYTES)
    told = part_read(file)
    ahead, lines = _ahead(_lines(file))
    facts.blank_lines = next((place for place, line in enumerate(ahead) if line.strip()), 0)
    ahead = ahead[facts.blank_lines :]
    declared = _DECLARED.fullmatch(ahead[0]) if ahead else None
    if declared:
        ahead = ahead[1:]
    separator = declared.group(2) if declared else _separator(ahead)
    facts.separator = _SEPARATORS.get(separator, separator)
    reader = csv.reader(lines, strict=True, delimiter=separator)
    before = facts.blank_lines + bool(declared)
    for _ in range(before):
        next(reader)
    header = _named(_header(reader, before + 1), _cells(ahead, separator)[1:], facts)
    require_columns([name for name in header if name], f"Line {before + 1}, the header")
    return Source([name for name in header if name], _rows(reader, header, facts), told, facts)


def _lines(file: IO[bytes]) -> Iterator[str]:
    for number, raw in bounded_lines(file):
        require_short(raw)
        text = raw.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape")
        # A carriage return alone also ends a line.
        yield from io.StringIO(text, newline="")


def _ahead(lines: Iterator[str]) -> tuple[list[str], Iterator[str]]:
    """The first lines, and all lines from the first. An error in a line is raised when it is its turn."""
    ahead: list[str] = []
    errors: list[RowError] = []
    try:
        while len(ahead) < _LINES_AHEAD and sum(map(len, ahead)) < _CHARACTERS_AHEAD:
            ahead.append(next(lines))
    except StopIteration:
        pass
    except RowError as error:
        errors.append(error)

    def all_lines() -> Iterator[str]:
        yield from ahead
        for error in errors:
            raise error
        yield from lines

    return ahead, all_lines()


def _separator(ahead: Sequence[str]) -> str:
    """The separator with which most of the first rows have as many cells as the header; the comma if none has."""

    def fit(sign: str) -> tuple[float, int]:
        rows = _cells(ahead, sign)
        width = len(rows[0]) if rows else 0
        return (sum(len(row) == width for row in rows) / len(rows), width) if width > 1 else (0, 0)

    return max(_SEPARATORS, key=fit)


def _cells(lines: Sequence[str], separator: str) -> list[list[str]]:
    try:
        return [row for row in csv.reader(lines, delimiter=separator) if "".join(row).strip()]
    except csv.Error:
        return []


def _header(reader: Iterator[list[str]], line: int) -> list[str]:
    try:
        header = [name.strip() for name in next(reader, [])]
    except (csv.Error, RowError) as error:
        raise _bad_header(line, _unreadable(error)) from None
    if not is_text(named := ", ".join(header)):
        raise _bad_header(line, _not_utf8(named))
    return header


def _named(header: list[str], sample: list[list[str]], facts: ReadFacts) -> list[str]:
    """The header with names for columns that have none, and "" for those that hold nothing: spare columns of
    spreadsheets, and the row numbers that pandas writes."""
    named = []
    for place, name in enumerate(header):
        cells = [row[place] for row in sample if place < len(row)]
        spare = not name and not any(cells)
        index = place == 0 and name in ("", "Unnamed: 0") and _is_index(cells)
        if spare or index:
            facts.skipped_columns.append(f"column {place + 1} ({'empty' if spare else 'row numbers'})")
        named.append("" if spare or index else name or f"column {place + 1}")
    return named


def _is_index(cells: list[str]) -> bool:
    return cells in ([str(n + first) for n in range(len(cells))] for first in (0, 1))


def _bad_header(line: int, why: str) -> DomainError:
    return DomainError("invalid_header", f"Line {line}, the header: {why}", status=422)


class _Reader(Protocol):
    line_num: int

    def __next__(self) -> list[str]: ...


def _rows(reader: _Reader, header: list[str], facts: ReadFacts) -> Iterator[RawRow]:
    width, has_gaps = len(header), "" in header
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, RowError) as error:
            yield line, failing(f"{_unreadable(error)} What follows was not read.")
            return
        text = "".join(cells)
        if not text or text.isspace():
            facts.blank_lines += 1
            continue

        def parse(cells: list[str] = cells, text: str = text) -> Cells:
            if len(cells) > width and not any(cells[width:]):
                cells = cells[:width]
            if len(cells) != width:
                raise RowError(f"The row has {len(cells)} cells; the header has {width}.")
            row = dict(zip(header, cells, strict=True))
            if has_gaps:
                del row[""]
            if not is_text(text):
                for name, cell in row.items():
                    if not is_text(cell):
                        raise RowError(_not_utf8(cell), name)
            return row

        yield line, parse


def _not_utf8(text: str) -> str:
    """Describe the first byte that is not UTF-8 by the text before it; surrogates stand for such bytes."""
    place = next(place for place, sign in enumerate(text) if not is_text(sign))
    byte = ord(text[place]) - 0xDC00
    before = f" (after {shown([text[max(0, place - 20) : place]])})" if place else ""
    return f"The byte {byte:#04x}{before} is not valid UTF-8; save the file as UTF-8."


def _unreadable(error: Exception) -> str:
    return str(error) if isinstance(error, RowError) else f"Not CSV: {error}; check the quotes."
