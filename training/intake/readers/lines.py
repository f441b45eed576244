"""Shared by all readers: lines of bounded size, and no more bytes than an upload may have."""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, field
from typing import IO, Any

from django.conf import settings

from ftplatform.errors import DomainError


class RowError(ValueError):
    """One row is unusable. The message says why and how to fix it; `field` is the location in the row, if known."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


Cells = dict[str, Any]
# A line number, and a function that returns cells by column name or raises RowError.
RawRow = tuple[int, Callable[[], Cells]]


@dataclass(frozen=True)
class Unreadable:
    """A cell that cannot be read, and why. Its row is refused only if the cell is used."""

    why: str


def used(cell: Any, column: str) -> Any:
    """A cell that is needed. Raises RowError if it cannot be read."""
    if isinstance(cell, Unreadable):
        raise RowError(cell.why, column)
    return cell


@dataclass
class ReadFacts:
    """What was recognised in a file and done to read it. `blank_lines` grows while the file is read."""

    format: str = ""
    packed: str = ""
    encoding: str = ""
    separator: str = ""
    skipped_columns: list[str] = field(default_factory=list)
    blank_lines: int = 0

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value}


@dataclass(frozen=True)
class Source:
    """The unmapped rows of a file. `columns` is None when every row has its own names (JSON); `part_read` returns how
    much has been read, from 0 to 1."""

    columns: list[str] | None
    rows: Iterator[RawRow]
    part_read: Callable[[], float]
    facts: ReadFacts = field(default_factory=ReadFacts)


def part_read(file: IO[bytes]) -> Callable[[], float]:
    """How much of a file has been read, by bytes, from 0 to 1."""
    here = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(here)
    return lambda: file.tell() / max(size, 1)


def bounded_lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Physical lines of bounded size. A longer line is skipped to its end and returned cut, one byte too long for its
    parser."""
    limit = settings.UPLOAD_MAX_ROW_BYTES
    left = settings.UPLOAD_MAX_BYTES
    number = 0

    def take(size: int) -> bytes:
        nonlocal left
        piece = file.readline(size)
        left -= len(piece)
        if left < 0:
            raise too_large()
        return piece

    while chunk := take(limit + 1):
        number += 1
        piece = chunk
        while len(chunk) > limit and piece and not piece.endswith(b"\n"):
            piece = take(limit)
        yield number, chunk


def too_large() -> DomainError:
    said = f"The file is larger than {settings.UPLOAD_MAX_BYTES:,} bytes. Upload fewer rows."
    return DomainError("too_large", said, status=413)


def require_short(raw: bytes) -> None:
    if len(raw) > settings.UPLOAD_MAX_ROW_BYTES:
        raise too_long()


def too_long() -> RowError:
    return RowError(f"The row is longer than {settings.UPLOAD_MAX_ROW_BYTES:,} bytes. Shorten it.")


def failing(message: str, field: str = "") -> Callable[[], Cells]:
    def parse() -> Cells:
        raise RowError(message, field)

    return parse


def is_text(value: str) -> bool:
    """Whether the text has no lone surrogate, which no encoding can write."""
    try:
        return value.isascii() or bool(value.encode())
    except UnicodeEncodeError:
        return False


def shown(names: Collection[str]) -> str:
    """Names from a file, shortened and made printable for a message."""
    fit = [name if name.isprintable() else ascii(name) for name in list(names)[:20]]
    more = [f"{len(names) - 20:,} more"] if len(names) > 20 else []
    return ", ".join([name if len(name) <= 80 else f"{name[:80]}…" for name in fit] + more)


def require_columns(columns: list[str], where: str) -> None:
    """Require a unique text name for every column; otherwise one column would silently hide another."""
    if not all(is_text(name) for name in columns):
        raise DomainError(
            "invalid_header", f"{where}: a name is not valid UTF-8; save it as UTF-8.", status=422
        )
    if twice := sorted(name for name, times in Counter(columns).items() if times > 1):
        said = f"{where}: the column {shown(twice)} appears twice. Give each column its own name."
        raise DomainError("invalid_header", said, status=422)
