"""What a rendered report says, as text and as table rows, and what its document says must be there."""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from html import unescape
from html.parser import HTMLParser
from typing import Any

from evaluation.report.document import ReportDocument
from evaluation.report.document.model import Chart, Figure, Mover, Table

Row = tuple[str, ...]
# Not for people, or checked elsewhere: `texts` are the responses themselves.
_SILENT = {"kind", "name", "unit", "mark", "code", "texts"}


def squeezed(text: str) -> str:
    return " ".join(text.split())


class _Reader(HTMLParser):
    """Collects the text, and the cells of every table row."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.rows: list[list[list[str]]] = []
        self.in_cell = self.skipping = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append([])
            self.in_cell = True
        self.skipping = tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.in_cell = False
        self.skipping = False

    def handle_data(self, data: str) -> None:
        if self.skipping:
            return
        self.text.append(data)
        if self.in_cell:
            self.rows[-1][-1].append(data)


def read(html: str) -> tuple[str, set[Row]]:
    """The text of a page on one line, and its table rows."""
    reader = _Reader()
    reader.feed(html)
    rows = {tuple(squeezed(" ".join(cell)) for cell in row) for row in reader.rows}
    return squeezed(" ".join(reader.text)), rows


def texts(part: Any, *, charts: bool) -> Iterator[str]:
    """Every text of a document or a part of it; of charts their titles and captions, where they are drawn."""
    if isinstance(part, Chart) and not charts:
        yield from (cell for row in part.rows for cell in row)
    elif isinstance(part, str):
        yield part
    elif isinstance(part, tuple):
        for item in part:
            yield from texts(item, charts=charts)
    elif is_dataclass(part) and not isinstance(part, type):
        silent = _SILENT | ({"alt", "columns"} if isinstance(part, Chart) else set())
        # A table's title names its region; the first column of a list of prompts is the prompt.
        silent |= {"title"} if isinstance(part, Table) else set()
        silent |= {"empty"} if getattr(part, "items", ()) else set()
        for one in fields(part):
            if one.name not in silent:
                yield from texts(getattr(part, one.name), charts=charts)


def rows(document: ReportDocument, *, on_one_line: bool) -> Iterator[Row]:
    """The rows of every table and list of prompts that stands in a document."""
    for block in document.blocks():
        if isinstance(block, Table):
            for group in block.groups:
                for row in group.rows:
                    cells = [cell_text(cell, on_one_line=on_one_line) for cell in row]
                    if on_one_line and group.title:
                        cells[0] = squeezed(f"{group.title}: {cells[0]}")
                    yield tuple(cells)


def cell_text(cell: Figure, *, on_one_line: bool) -> str:
    parts = (cell.text, cell.interval, cell.note)
    return squeezed(cell.line if on_one_line else " ".join(part for part in parts if part))


def figures(part: Any) -> Iterator[Figure]:
    """Every figure with a number behind it."""
    if isinstance(part, Figure):
        if part.value is not None and part.unit not in ("text", "hash"):
            yield part
    elif isinstance(part, tuple):
        for item in part:
            yield from figures(item)
    elif is_dataclass(part) and not isinstance(part, Mover | type):
        for one in fields(part):
            yield from figures(getattr(part, one.name))


def numbers(value: Any) -> set[float]:
    """Every number of a JSON value."""
    if isinstance(value, dict):
        return numbers(list(value.values()))
    if isinstance(value, list):
        return set().union(*map(numbers, value)) if value else set()
    return {float(value)} if isinstance(value, int | float) and not isinstance(value, bool) else set()


_NUMBER = re.compile(r"[+−]?\d[\d,]*(\.\d+)?(?:e−?\d+)?")


def says(text: str, value: float | None, factor: float) -> bool:
    """Whether `text` begins with `value` times `factor`, rounded as the digits shown allow."""
    assert value is not None
    if text.startswith("<"):
        return value * factor < float(text.split()[1])
    found = _NUMBER.match(text)
    assert found, text
    shown = float(found[0].replace(",", "").replace("−", "-"))
    decimals = len(found[1] or ".") - 1
    return bool(abs(shown - factor * value) <= 0.5 * 10**-decimals + 1e-9)


def plain(html: str) -> str:
    """Markup with its entities resolved, for what stands in attributes."""
    return squeezed(unescape(html))
