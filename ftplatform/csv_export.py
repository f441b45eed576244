"""CSV for download: rows streamed one by one, and no cell that a spreadsheet would run as a formula."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http import StreamingHttpResponse

# What spreadsheets take for the start of a formula, also behind spaces, a byte-order mark or other invisible signs.
_FORMULA_STARTS = "=+-@|\t\r＝＋－＠"
_INVISIBLE = " \u00a0\u200b\ufeff"
_CHUNK_ROWS = 200


def safe_cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula, with an apostrophe in front; numbers and all else as is."""
    if isinstance(value, str) and value.lstrip(_INVISIBLE)[:1] in tuple(_FORMULA_STARTS):
        return f"'{value}"
    return value


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The file in pieces of some hundred rows; None is an empty cell."""
    piece: list[str] = []
    writer = csv.writer(_Lines(piece), lineterminator="\r\n")
    writer.writerow([safe_cell(cell) for cell in header])
    for row in rows:
        writer.writerow([safe_cell(cell) for cell in row])
        if len(piece) >= _CHUNK_ROWS:
            yield "".join(piece)
            piece.clear()
    yield "".join(piece)


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """A download called `name`, written while it is sent."""
    return StreamingHttpResponse(
        csv_lines(header, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


class _Lines:
    """What `csv.writer` needs of a file."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, line: str) -> None:
        self._lines.append(line)
