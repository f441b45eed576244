"""CSV downloads: rows are streamed, and no cell can run as a formula in a spreadsheet."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http import StreamingHttpResponse

# Spreadsheets read these as the start of a formula, even after spaces, a byte-order mark or other invisible
# characters.
_FORMULA_STARTS = "=+-@|\t\r＝＋－＠"
_INVISIBLE = " \u00a0\u200b\ufeff"
_CHUNK_ROWS = 200


def safe_cell(value: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet would run as a formula. Other values are returned unchanged."""
    if isinstance(value, str) and value.lstrip(_INVISIBLE)[:1] in tuple(_FORMULA_STARTS):
        return f"'{value}"
    return value


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The file in chunks of `_CHUNK_ROWS` rows; None is an empty cell."""
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
    """A download called `name`, generated while it is sent."""
    return StreamingHttpResponse(
        csv_lines(header, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


class _Lines:
    """The part of a file's interface that `csv.writer` needs."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, line: str) -> None:
        self._lines.append(line)
