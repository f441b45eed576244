"""Read CSV: cells separated by commas, semicolons or tabs, below one line of column names."""

import csv
import io
from collections.abc import Iterator
from itertools import chain
from typing import IO, Protocol

from django.conf import settings

from ftplatform.errors import DomainError
from training.intake.readers.lines import (
    Cells,
    RawRow,
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


def read(file: IO[bytes]) -> Source:
    """Rows by the line on which each begins. Raises DomainError `invalid_header`."""
    csv.field_size_limit(settings.UPLOAD_MAX_ROW_BYTES)
    told = part_read(file)
    lines = _lines(file)
    try:
        first = next(lines, "")
    except RowError as error:
        raise _bad_header(str(error)) from None
    reader = csv.reader(chain([first], lines), strict=True, delimiter=_delimiter(first))
    return Source(header := _header(reader), _rows(reader, header), told)


def _lines(file: IO[bytes]) -> Iterator[str]:
    for number, raw in bounded_lines(file):
        require_short(raw)
        text = raw.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape")
        # A carriage return alone also ends a line.
        yield from io.StringIO(text, newline="")


def _delimiter(header: str) -> str:
    """The comma, or if the header has none, a delimiter that spreadsheets use instead."""
    return next((sign for sign in ",;\t" if sign in header), ",")


def _header(reader: Iterator[list[str]]) -> list[str]:
    try:
        header = next(reader, [])
    except (csv.Error, RowError) as error:
        raise _bad_header(_unreadable(error)) from None
    if not is_text(named := ", ".join(header)):
        raise _bad_header(_not_utf8(named))
    require_columns(header, "Line 1, the header")
    return header


def _bad_header(why: str) -> DomainError:
    return DomainError("invalid_header", f"Line 1, the header: {why}", status=422)


class _Reader(Protocol):
    line_num: int

    def __next__(self) -> list[str]: ...


def _rows(reader: _Reader, header: list[str]) -> Iterator[RawRow]:
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, RowError) as error:
            yield line, failing(f"{_unreadable(error)} What follows was not read.")
            return

        def parse(cells: list[str] = cells) -> Cells:
            if len(cells) != len(header):
                raise RowError(f"The row has {len(cells)} cells; the header has {len(header)}.")
            row = dict(zip(header, cells, strict=True))
            if not is_text("".join(cells)):
                name = next(name for name in header if not is_text(row[name]))
                raise RowError(_not_utf8(row[name]), name)
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
