"""Read an uploaded file of any format row by row: the cells of each row, or the problem with its line.

Memory stays constant: files, lines and rows have size limits, and nothing is kept.
"""

import re
from typing import IO

from django.db import models

from ftplatform.errors import DomainError
from ftplatform.text.encodings import FIRST_BYTES, not_utf8
from training.intake.readers import json_lines, packed, parquet, separated
from training.intake.readers.lines import ReadFacts, Source


class Format(models.TextChoices):
    JSON_LINES = "jsonl", "JSON lines"
    JSON_LIST = "json", "JSON list"
    CSV = "csv", "CSV"
    PARQUET = "parquet", "Parquet"


_READERS = {
    Format.JSON_LINES: json_lines.read,
    Format.JSON_LIST: json_lines.read_list,
    Format.CSV: separated.read,
    Format.PARQUET: parquet.read,
}
_SPREADSHEETS = (".xlsx", ".xlsm", ".ods")
_PACKED_ENDS = (".gz", ".zip")
_NAMES = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".jsonl": Format.JSON_LINES,
    ".ndjson": Format.JSON_LINES,
    ".json": Format.JSON_LINES,
}
_OBJECT = re.compile(rb'\{\s*["}]')


def open_source(file: IO[bytes], source_name: str, *, is_plain: bool = False) -> Source:
    """The rows of `file`, which may be packed or in another encoding; with `is_plain` it is known to be neither, which
    saves reading it to its end first. Raises DomainError for errors about the whole file: those of `plain` and of a
    header."""
    if is_plain:
        opened, facts = file, ReadFacts(format=detect(file, source_name).value)
    else:
        opened, facts = plain(file, source_name)
    return _READERS[Format(facts.format)](opened, facts)


def plain(file: IO[bytes], source_name: str) -> tuple[IO[bytes], ReadFacts]:
    """The file, or an unpacked copy in UTF-8, and its format. Raises DomainError as `detect` and `packed.plain`."""
    _refuse_spreadsheet(source_name)
    opened, facts = packed.plain(file)
    facts.format = detect(opened, source_name).value
    return opened, facts


def detect(file: IO[bytes], source_name: str) -> Format:
    """The format of a plain file: by its first bytes and, for text that does not show it, by its name.

    Raises DomainError: `spreadsheet`, `not_utf8`, `invalid_parquet`, `json_object`.
    """
    _refuse_spreadsheet(source_name)
    file.seek(0)
    start = file.readline(FIRST_BYTES)
    if start.startswith(b"PAR1"):
        file.seek(0)
        return Format.PARQUET
    if why := not_utf8(start):
        said = f"The file cannot be read: {why}."
        raise DomainError("not_utf8", said, status=422)
    name = source_name.lower()
    for end in _PACKED_ENDS:
        name = name.removesuffix(end)
    if name.endswith(".parquet"):
        raise DomainError(
            "invalid_parquet", "The file is named .parquet but is not a Parquet file.", status=422
        )
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    while not text and (start := file.readline(FIRST_BYTES)):
        text = start.lstrip()
    file.seek(0)
    return _of_text(text, next((kind for end, kind in _NAMES.items() if name.endswith(end)), None))


def _of_text(text: bytes, by_name: Format | None) -> Format:
    if text.startswith(b"[") and by_name != Format.CSV:
        return Format.JSON_LIST
    if text.rstrip() == b"{":
        said = "The file is one JSON object over several lines. Write one object per line, or one list of objects."
        raise DomainError("json_object", said, status=422)
    if _OBJECT.match(text):
        return Format.JSON_LINES
    return by_name or (Format.JSON_LINES if text.startswith(b"{") else Format.CSV)


def _refuse_spreadsheet(source_name: str) -> None:
    if source_name.lower().endswith(_SPREADSHEETS):
        raise DomainError("spreadsheet", "This is a spreadsheet; save it as “CSV UTF-8”.", status=422)
