"""JSON lines: one object on each line."""

import json
from collections.abc import Iterator
from typing import IO

from training.intake.readers import json_text
from training.intake.readers.clean import require_clean
from training.intake.readers.lines import (
    Cells,
    RawRow,
    RowError,
    Source,
    bounded_lines,
    is_text,
    part_read,
    require_short,
)


def read(file: IO[bytes]) -> Source:
    return Source(None, _rows(file), part_read(file))


def _rows(file: IO[bytes]) -> Iterator[RawRow]:
    for number, raw in bounded_lines(file):
        content = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
        if number == 1 and not content.strip():
            continue

        def parse(content: bytes = content) -> Cells:
            return _object(_text(content))

        yield number, parse


def _text(raw: bytes) -> str:
    require_short(raw)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RowError(
            f"Byte {error.start + 1} of the row is not valid UTF-8; save the file as UTF-8."
        ) from None
    if not text.strip():
        raise RowError("The row is empty. Remove the line.")
    return text


def _object(text: str) -> Cells:
    row = json_text.parse(text)
    if not isinstance(row, dict):
        raise RowError("Each line must be one JSON object.")
    # Only an escape can add a lone surrogate, and such a cell cannot be displayed.
    if "\\u" in text and not is_text(json.dumps(row, ensure_ascii=False)):
        require_clean(row)
    return row
