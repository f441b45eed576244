"""Turn the bytes of a ratings file into rows: CSV, JSON lines, a JSON list or Parquet, recognised by content.

Memory stays constant: lines, records and row groups have size limits, and nothing is kept.
"""

import codecs
import csv
import io
import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, Literal, NoReturn, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from ftplatform.text.encodings import FIRST_BYTES, not_utf8

MAX_LINE = 1_000_000  # characters of one line, record or object
_MAX_RECORD_LINES = 10_000
_MAX_ROW_GROUP_BYTES = 2**29
_BLOCK = 1 << 20
_DELIMITERS = ",;\t|"
_SEP_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_ENCODING_NAMES = {"utf-8-sig": "utf-8", "utf-16-le": "utf-16", "utf-16-be": "utf-16"}
# Bytes that have no character in Windows-1252, and NUL.
_NOT_WINDOWS = b"\0\x81\x8d\x8f\x90\x9d"
# A surrogate as some programs write it, as if it were a character of UTF-8.
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
Kind = Literal["csv", "json_lines", "json_list", "parquet"]
# A row by column name, or the reason why it cannot be read.
RawRow = Mapping[str, object] | str


class FileError(Exception):
    """The whole file cannot be read. `line` is the place (1-based), `reason` the sentence without a full stop."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line, self.reason = line, reason


@dataclass
class Sheet:
    """A file's rows with the line on which each begins. `columns` is None if every row names its own.

    `blank` counts the blank lines skipped so far. `decimal_comma` is true if the file separates its cells by
    another sign than the comma, as spreadsheets do where 3,5 is a number.
    """

    kind: Kind
    encoding: str
    columns: list[str] | None
    rows: Iterator[tuple[int, RawRow]] = field(default_factory=lambda: iter(()))
    blank: int = 0
    decimal_comma: bool = False


@contextmanager
def open_sheet(source: BinaryIO) -> Iterator[Sheet]:
    """Recognise the format and the encoding of `source`, which must be seekable and stays open. Raises FileError, also
    while the rows are read."""
    start = source.read(FIRST_BYTES)
    source.seek(0)
    if start.startswith(b"PAR1"):
        yield _parquet(source)
        return
    if start.startswith(b"PK\x03\x04"):
        raise FileError(1, "it is a ZIP archive or a spreadsheet; unpack it, or save the table as CSV")
    encoding = _encoding(source, start)
    errors = "surrogateescape" if encoding.startswith("utf-8") else "strict"
    text = io.TextIOWrapper(source, encoding, errors=errors, newline="")
    try:
        yield _sheet(text, encoding)
    except UnicodeDecodeError as error:
        raise FileError(1, f"the text is not valid {error.encoding.upper()}") from None
    finally:
        text.detach()


def _sheet(text: TextIO, encoding: str) -> Sheet:
    sheet = Sheet("csv", _ENCODING_NAMES.get(encoding, encoding), None)
    first = _first_sign(text)
    text.seek(0)
    if first == "[":
        sheet.kind, sheet.rows = "json_list", _json_list(text)
    elif first == "{":
        sheet.kind, sheet.rows = "json_lines", _json_lines(text, sheet)
    elif first:
        _csv(text, sheet)
    return sheet


def _encoding(source: BinaryIO, start: bytes) -> str:
    for mark, name in _MARKS.items():
        if start.startswith(mark):
            return name
    nuls = [start[place::2].count(0) for place in (0, 1)]
    if sum(nuls) * 5 > len(start) and 0 in nuls:
        return "utf-16-be" if nuls[0] else "utf-16-le"
    if why := not_utf8(start):
        raise FileError(1, why)
    return _utf8_or_windows(source)


def _utf8_or_windows(source: BinaryIO) -> str:
    """UTF-8, unless already the first sign beyond ASCII is invalid in it and every byte is a sign of Windows-1252."""
    decoder, plain = codecs.getincrementaldecoder("utf-8")(), True
    try:
        while block := source.read(_BLOCK):
            try:
                plain = decoder.decode(block).isascii() and plain
            except UnicodeDecodeError as error:
                surrogate = _SURROGATE.match(error.object, error.start)
                ascii_before = plain and bytes(error.object[: error.start]).isascii()
                windows = ascii_before and not surrogate and _is_windows(source)
                return "cp1252" if windows else "utf-8"
        return "utf-8"
    finally:
        source.seek(0)


def _is_windows(source: BinaryIO) -> bool:
    source.seek(0)
    while block := source.read(_BLOCK):
        if len(block.translate(None, _NOT_WINDOWS)) != len(block):
            return False
    return True


def _first_sign(text: TextIO) -> str:
    """The first sign that is no white space; "" for a blank file."""
    while block := text.read(FIRST_BYTES):
        if stripped := block.lstrip():
            return stripped[0]
    return ""


class _Lines:
    """Physical lines. Those of a record that turns out to be broken can be read again, each as its own record."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._waiting: deque[str] = deque()
        self.taken: list[str] = []
        self.number = self.size = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if self.size > MAX_LINE or len(self.taken) >= _MAX_RECORD_LINES:
            raise StopIteration
        line = self._waiting.popleft() if self._waiting else _line(self._text)
        if not line:
            raise StopIteration
        self.taken.append(line)
        self.size += len(line)
        self.number += 1
        return line

    def begin(self) -> None:
        self.taken, self.size = [], 0

    def give_back(self, kept: int = 1) -> None:
        """Give back all lines of this record but the first `kept`."""
        self.number -= len(self.taken) - kept
        self._waiting.extendleft(reversed(self.taken[kept:]))


def _line(text: TextIO) -> str:
    """The next line; a line that is too long is cut, one sign too long for its reader."""
    line = piece = text.readline(MAX_LINE + 1)
    while len(piece) > MAX_LINE and not piece.endswith(("\n", "\r")):
        piece = text.readline(MAX_LINE + 1)
    return line


def _csv(text: TextIO, sheet: Sheet) -> None:
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE))
    lines = _Lines(text)
    delimiter = _delimiter(lines)
    records = _records(lines, delimiter)
    line, header = next(records)
    if isinstance(header, str):
        raise FileError(line, "the header has an unclosed or misplaced quote")
    columns = [name.strip() for name in header]
    sheet.columns, sheet.decimal_comma = columns, delimiter != ","
    sheet.rows = _csv_rows(records, columns, sheet)


def _delimiter(lines: _Lines) -> str:
    """The sign that a first line `sep=…` names, or the one that gives the header most cells."""
    for line in lines:
        if found := _SEP_LINE.fullmatch(line):
            return found[1]
        if line.strip():
            lines.give_back(len(lines.taken) - 1)
            return max(_DELIMITERS, key=lambda sign: len(next(csv.reader([line], delimiter=sign), [])))
    return ","


def _records(lines: _Lines, delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """The cells of every record, or why it cannot be read. A broken record costs its first line only."""
    reader = csv.reader(lines, strict=True, delimiter=delimiter)
    while True:
        lines.begin()
        start = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cells = []
            lines.give_back()
            yield start, _unreadable(lines.taken[0]) or "the line has an unclosed or misplaced quote"
            continue
        yield start, _unreadable(lines.taken[0] if len(lines.taken) == 1 else "".join(lines.taken)) or cells


def _unreadable(raw: str) -> str:
    """Why the text of a row cannot be used at all; "" if it can."""
    if len(raw) > MAX_LINE:
        return f"the line is longer than {MAX_LINE:,} characters"
    if "\0" in raw:
        return "the line contains a NUL character"
    if raw.isascii():
        return ""
    try:
        raw.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeDecodeError as error:
        return f"byte {error.start + 1} is not valid UTF-8; save the file as UTF-8"
    except UnicodeEncodeError:
        return "the line contains a character that text cannot hold"
    return ""


def _csv_rows(
    records: Iterator[tuple[int, list[str] | str]], columns: list[str], sheet: Sheet
) -> Iterator[tuple[int, RawRow]]:
    width = len(columns)
    for line, cells in records:
        if isinstance(cells, str):
            yield line, cells
        elif not any(cells) or not any(cell.strip() for cell in cells):
            sheet.blank += 1
        elif len(cells) < width or any(cell.strip() for cell in cells[width:]):
            yield line, f"{len(cells)} fields where the header has {width}"
        else:
            yield line, dict(zip(columns, cells, strict=False))


def _json_lines(text: TextIO, sheet: Sheet) -> Iterator[tuple[int, RawRow]]:
    number = 0
    while line := _line(text):
        number += 1
        if not line.strip():
            sheet.blank += 1
            continue
        yield number, _unreadable(line) or _json_object(line)


def _json_object(line: str) -> RawRow:
    try:
        row = _DECODER.decode(line)
    except _RefusedError as error:
        return str(error)
    except (ValueError, RecursionError):
        return "the line is not valid JSON"
    return row if isinstance(row, dict) else "the line is not a JSON object"


def _json_list(text: TextIO) -> Iterator[tuple[int, RawRow]]:
    """The objects of one JSON list, of which only the current one is in memory."""
    buffer, place, line = text.read(_BLOCK).lstrip()[1:], 0, 1
    while True:
        while place < len(buffer) and buffer[place] in " \t\r\n,":
            line += buffer[place] == "\n"
            place += 1
        if place < len(buffer) and buffer[place] == "]":
            return
        try:
            if place == len(buffer):
                raise ValueError("nothing is left of the text read so far")
            row, end = _DECODER.raw_decode(buffer, place)
        except _RefusedError as error:
            raise FileError(line, str(error)) from None
        except (ValueError, RecursionError):
            left = len(buffer) - place
            more = text.read(max(_BLOCK, left)) if left <= 2 * MAX_LINE else ""
            if not more:
                raise FileError(line, "the JSON list is not valid from here on") from None
            buffer, place = buffer[place:] + more, 0
            continue
        yield line, _unreadable_object(row)
        line += buffer.count("\n", place, end)
        place = end


def _unreadable_object(row: object) -> RawRow:
    return row if isinstance(row, dict) else "this item of the list is not a JSON object"


class _RefusedError(Exception):
    """Text that Python reads as JSON and the standard does not allow. The message gives the reason."""


def _no_constant(name: str) -> NoReturn:
    raise _RefusedError(f"{name} is not a number that JSON allows")


def _no_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    row = dict(pairs)
    if len(row) != len(pairs):
        raise _RefusedError("a name occurs twice in the object")
    return row


_DECODER = json.JSONDecoder(parse_constant=_no_constant, object_pairs_hook=_no_repeats)


def _parquet(source: BinaryIO) -> Sheet:
    try:
        file = pq.ParquetFile(source)
        groups = [file.metadata.row_group(number).total_byte_size for number in range(file.num_row_groups)]
    except (pa.ArrowException, OSError, ValueError):
        raise FileError(1, "it is named or begins like a Parquet file but cannot be read as one") from None
    if max(groups, default=0) > _MAX_ROW_GROUP_BYTES:
        raise FileError(
            1, f"a row group is larger than {_MAX_ROW_GROUP_BYTES // 2**20} MB; write smaller ones"
        )
    return Sheet("parquet", "parquet", list(file.schema_arrow.names), _parquet_rows(file.iter_batches))


def _parquet_rows(batches: Callable[..., Iterator[pa.RecordBatch]]) -> Iterator[tuple[int, RawRow]]:
    number = 0
    try:
        for batch in batches(batch_size=1000):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except (pa.ArrowException, OSError, ValueError):
        raise FileError(number + 1, "the Parquet file is damaged from this row on") from None
