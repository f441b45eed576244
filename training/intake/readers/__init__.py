"""Read an uploaded file of any format row by row: the cells of each row, or the problem with its line.

Memory stays constant: files, lines and rows have size limits, and nothing is kept.
"""

from typing import IO

from django.db import models

from ftplatform.errors import DomainError
from ftplatform.text.encodings import FIRST_BYTES, not_utf8
from training.intake.readers import json_lines, parquet, separated
from training.intake.readers.lines import Source


class Format(models.TextChoices):
    JSON_LINES = "jsonl", "JSON lines"
    CSV = "csv", "CSV"
    PARQUET = "parquet", "Parquet"


_READERS = {
    Format.JSON_LINES: json_lines.read,
    Format.CSV: separated.read,
    Format.PARQUET: parquet.read,
}
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "ZIP",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
}
_SPREADSHEETS = (".xlsx", ".xlsm", ".ods")
_NAMES = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".jsonl": Format.JSON_LINES,
    ".ndjson": Format.JSON_LINES,
    ".json": Format.JSON_LINES,
}


def detect(file: IO[bytes], source_name: str) -> Format:
    """Detect the format from the first bytes and, for text, from the file name.

    Raises DomainError: `packed_file` or `not_utf8`. Compressed files are not unpacked here, because a small one can
    expand to any size.
    """
    file.seek(0)
    start = file.readline(FIRST_BYTES)
    file.seek(0)
    if source_name.lower().endswith(_SPREADSHEETS):
        raise DomainError("spreadsheet", "This is a spreadsheet; save it as “CSV UTF-8”.", status=422)
    for signature, name in _PACKED.items():
        if start.startswith(signature):
            said = f"The file is compressed ({name}). Unpack it and upload its content."
            raise DomainError("packed_file", said, status=422)
    if start.startswith(b"PAR1"):
        return Format.PARQUET
    if why := not_utf8(start):
        said = f"The file cannot be read: {why}."
        raise DomainError("not_utf8", said, status=422)
    by_name = next((kind for end, kind in _NAMES.items() if source_name.lower().endswith(end)), None)
    if source_name.lower().endswith(".parquet"):
        raise DomainError(
            "invalid_parquet", "The file is named .parquet but is not a Parquet file.", status=422
        )
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"[") and by_name != Format.CSV:
        said = "The file is one JSON list. Write one object per line instead (JSON lines)."
        raise DomainError("json_list", said, status=422)
    return by_name or (Format.JSON_LINES if text.startswith(b"{") else Format.CSV)


def open_source(file: IO[bytes], source_name: str) -> Source:
    """The rows of `file`. Raises DomainError for errors about the whole file."""
    return _READERS[detect(file, source_name)](file)
