"""Read Parquet in a separate process with limits; see `training.intake.parquet_dump`."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from django.conf import settings

from ftplatform.errors import DomainError
from training.intake import parquet_dump
from training.intake.readers import json_text
from training.intake.readers.lines import (
    Cells,
    RawRow,
    ReadFacts,
    Source,
    Unreadable,
    bounded_lines,
    require_columns,
    require_short,
    too_large,
)


def read(file: IO[bytes], facts: ReadFacts) -> Source:
    """Rows numbered from 1. Raises DomainError: `invalid_parquet`, `too_large` (the unpacked size, as JSON)."""
    lines = _lines(file)
    _, first = next(lines, (0, b""))
    if not first.startswith(b"C"):
        raise _invalid("It ends before its columns.")
    require_short(first)
    said = json_text.parse(first[1:].decode())
    columns = [str(name) for name in said["columns"]]
    require_columns(columns, "The schema")
    passed = _Passed(lines)
    unread = {name: Unreadable(why) for name, why in said["unread"].items()}
    return Source(columns, _rows(passed, unread), lambda: passed.count / max(int(said["rows"]), 1), facts)


class _Passed:
    """Counts lines as they pass: another process reads the file, so its position shows no progress."""

    def __init__(self, lines: Iterator[tuple[int, bytes]]) -> None:
        self._lines = lines
        self.count = 0

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        for line in self._lines:
            self.count += 1
            yield line


def _rows(lines: _Passed, unread: Cells) -> Iterator[RawRow]:
    for number, raw in lines:

        def parse(raw: bytes = raw) -> Cells:
            require_short(raw)
            row: Cells = json_text.parse(raw[1:].decode())
            if raw.startswith(b"X"):
                row = row["cells"] | {name: Unreadable(why) for name, why in row["bad"].items()}
            return row | unread if unread else row

        yield number - 1, parse


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    with _on_disk(file) as stored, _dump(stored) as child:
        assert child.stdout is not None  # noqa: S101 (Popen was given a pipe)
        for number, raw in bounded_lines(child.stdout):
            if raw.startswith(b"F"):
                raise _invalid(raw[1:].decode(errors="replace").strip())
            yield number, raw
        if child.wait():
            said = (
                "The Parquet file could not be read to its end: it is damaged, or unpacking it takes more memory "
                f"than the {parquet_dump.MEMORY_BYTES // 2**20:,} MiB that are allowed. Write it again with smaller "
                "row groups and pages, or upload JSON lines."
            )
            raise DomainError("parquet_limits", said, status=422)


def _invalid(why: str) -> DomainError:
    return DomainError("invalid_parquet", f"The Parquet file cannot be read: {why}", status=422)


@contextmanager
def _dump(file: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-I", parquet_dump.__file__]
    with subprocess.Popen(
        command,
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={"PYTHONIOENCODING": "utf-8:surrogatepass", "PATH": os.environ.get("PATH", "")},
    ) as child:
        try:
            yield child
        finally:
            child.kill()


@contextmanager
def _on_disk(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """The same bytes in a real file, from its start, because only a real file can be passed to another process."""
    file.seek(0)
    try:
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        yield file
    except (OSError, AttributeError):
        with tempfile.TemporaryFile() as copy:
            left = settings.UPLOAD_MAX_BYTES
            while piece := file.read(2**20):
                left -= len(piece)
                if left < 0:
                    raise too_large() from None
                copy.write(piece)
            copy.flush()
            copy.seek(0)
            yield copy
