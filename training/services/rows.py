"""Rows of an uploaded file, one at a time: each is an Example, or a line number with what is wrong with it."""

import csv
import io
import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from django.conf import settings

from ftplatform.errors import DomainError

SPLITS = ("train", "validation")
MAX_DEPTH = 50
_EXAMPLE_FIELDS = {"id", "instruction", "input", "output", "split"}
_TOO_DEEP = f"The JSON is nested too deeply; {MAX_DEPTH} levels are the most."


class RowError(ValueError):
    """One row is unusable; the message says why and how to mend it."""


@dataclass(frozen=True)
class ColumnMapping:
    """How the columns of a file become an Example: `inputs` and `outputs` map key → column."""

    instruction: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def columns(self) -> set[str]:
        return {*self.inputs.values(), *self.outputs.values()}


@dataclass(frozen=True)
class ReadRow:
    """A line of the file: an example with the split it asked for, or a problem."""

    line: int
    example: dict[str, Any] | None
    split: str = ""
    problem: str = ""


def read(file: IO[bytes], source_name: str, mapping: ColumnMapping | None) -> Iterator[ReadRow]:
    """Stream the rows of JSON lines, or of a CSV with `mapping`; ids must differ. Memory grows with ids only.

    Raises DomainError for what is wrong with the whole file: a missing mapping, a header that cannot
    be read or lacks a mapped column, a size beyond the limit.
    """
    seen: dict[str, int] = {}
    rows = _csv_rows if source_name.lower().endswith(".csv") else _json_rows
    for line, parse in rows(file, mapping):
        try:
            row = parse()
            example = _example(row, line)
            first = seen.setdefault(example["id"], line)
            if first != line:
                raise RowError(f"id {example['id']!r} was already used on line {first}; ids must differ.")
        except RowError as error:
            yield ReadRow(line, None, problem=str(error))
        else:
            yield ReadRow(line, example, split=row.get("split") or "")


Row = tuple[int, Callable[[], dict[str, Any]]]


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Physical lines of bounded size; a longer one is drained and reported by its parser as too long."""
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
    said = f"The file is larger than {settings.UPLOAD_MAX_BYTES:,} bytes; upload fewer rows."
    return DomainError("too_large", said, status=413)


def _require_short(raw: bytes) -> None:
    if len(raw) > settings.UPLOAD_MAX_ROW_BYTES:
        raise RowError(f"The row is longer than {settings.UPLOAD_MAX_ROW_BYTES:,} bytes; shorten it.")


def _json_rows(file: IO[bytes], mapping: ColumnMapping | None) -> Iterator[Row]:
    for number, raw in _lines(file):
        content = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
        if number == 1 and not content.strip():
            continue

        def parse(content: bytes = content) -> dict[str, Any]:
            row = _json_object(_text(content))
            return row if mapping is None else _mapped(row, mapping)

        yield number, parse


def _text(raw: bytes) -> str:
    _require_short(raw)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RowError(
            f"Byte {error.start + 1} of the row is not valid UTF-8; save the file as UTF-8."
        ) from None
    if not text.strip():
        raise RowError("The row is empty; remove the line.")
    return text


def _refuse_constant(name: str) -> None:
    raise RowError(f"{name} is not JSON; use null or a number.")


def _whole(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:
        raise RowError(f"A number of {len(digits):,} digits is too long; write it as a text.") from None


def _decimal(digits: str) -> float:
    if math.isinf(value := float(digits)):
        raise RowError(f"{_shown([digits])} is too large for a number; write it as a text.")
    return value


def _json_object(text: str) -> dict[str, Any]:
    try:
        row = json.loads(text, parse_constant=_refuse_constant, parse_int=_whole, parse_float=_decimal)
    except json.JSONDecodeError as error:
        raise RowError(f"Not JSON: {error.msg} at column {error.colno}.") from None
    except RecursionError:
        raise RowError(_TOO_DEEP) from None
    if not isinstance(row, dict):
        raise RowError("A row must be a JSON object with instruction, input and output.")
    return row


def _csv_rows(file: IO[bytes], mapping: ColumnMapping | None) -> Iterator[Row]:
    """Rows of a CSV by the line on which each begins; the header must have every mapped column."""
    if mapping is None:
        raise DomainError(
            "mapping_needed",
            "A CSV needs an instruction and a mapping of its columns to input and output keys.",
            status=400,
        )
    csv.field_size_limit(settings.UPLOAD_MAX_ROW_BYTES)
    reader = csv.reader(_csv_lines(file), strict=True)
    header = _header(reader, mapping)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, RowError) as error:
            yield line, _failing(f"{_unreadable(error)} What follows was not read.")
            return

        def parse(cells: list[str] = cells) -> dict[str, Any]:
            if len(cells) != len(header):
                raise RowError(f"The row has {len(cells)} cells; the header has {len(header)}.")
            return _mapped(dict(zip(header, cells, strict=True)), mapping)

        yield line, parse


def _csv_lines(file: IO[bytes]) -> Iterator[str]:
    for number, raw in _lines(file):
        _require_short(raw)
        text = raw.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape")
        # A carriage return alone ends a line too.
        yield from io.StringIO(text, newline="")


def _header(reader: Iterator[list[str]], mapping: ColumnMapping) -> list[str]:
    try:
        header = next(reader, [])
    except (csv.Error, RowError) as error:
        raise DomainError("invalid_header", f"Line 1, the header: {_unreadable(error)}", status=422) from None
    if not _is_text("".join(header)):
        said = "Line 1, the header, is not valid UTF-8; save the file as UTF-8."
        raise DomainError("invalid_header", said, status=422)
    if missing := mapping.columns - set(header):
        said = f"The header lacks {_shown(sorted(missing))}; it has {_shown(header) or 'nothing'}."
        raise DomainError("missing_columns", said, status=422)
    return header


def _unreadable(error: Exception) -> str:
    return str(error) if isinstance(error, RowError) else f"Not CSV: {error}; check the quotes."


def _failing(message: str) -> Callable[[], dict[str, Any]]:
    def parse() -> dict[str, Any]:
        raise RowError(message)

    return parse


def _mapped(row: dict[str, Any], mapping: ColumnMapping) -> dict[str, Any]:
    if missing := mapping.columns - set(row):
        raise RowError(f"The row lacks {_shown(sorted(missing))}.")
    return {
        "instruction": mapping.instruction,
        "input": {key: row[column] for key, column in mapping.inputs.items()},
        "output": {key: row[column] for key, column in mapping.outputs.items()},
    }


def _example(row: dict[str, Any], line: int) -> dict[str, Any]:
    if unknown := set(row) - _EXAMPLE_FIELDS:
        raise RowError(
            f"Unknown field {_shown(sorted(unknown))}; a row has {', '.join(sorted(_EXAMPLE_FIELDS))}."
        )
    for name in ("instruction", "output"):
        if name not in row:
            raise RowError(f"The row lacks `{name}`.")
    if not isinstance(row["instruction"], str) or not row["instruction"].strip():
        raise RowError("`instruction` must be a text that is not empty.")
    if row.get("split") not in (None, "", *SPLITS):
        raise RowError(f"`split` must be one of {', '.join(SPLITS)}.")
    identity = row.get("id", f"row-{line}")
    if not isinstance(identity, str | int) or isinstance(identity, bool) or not 0 < len(str(identity)) <= 200:
        raise RowError("`id` must be a text or whole number of at most 200 characters.")
    example = {
        "id": str(identity),
        "instruction": row["instruction"],
        "input": _content(row.get("input", ""), "input", empty=True),
        "output": _content(row["output"], "output", empty=False),
    }
    _require_clean(example)
    return example


def _content(value: Any, name: str, *, empty: bool) -> Any:
    if not isinstance(value, str | dict):
        raise RowError(f"`{name}` must be a text or a JSON object.")
    if not empty and not (value.strip() if isinstance(value, str) else value):
        raise RowError(f"`{name}` is empty.")
    return value


def _is_text(value: str) -> bool:
    """Whether there is no lone surrogate in it, which no encoding can write."""
    return not any("\ud800" <= char <= "\udfff" for char in value)


def _shown(names: Collection[str]) -> str:
    """Names from a file, made fit for a message: few, short and printable."""
    fit = [name if name.isprintable() else ascii(name) for name in list(names)[:20]]
    more = [f"{len(names) - 20:,} more"] if len(names) > 20 else []
    return ", ".join([name if len(name) <= 80 else f"{name[:80]}…" for name in fit] + more)


def _require_clean(value: Any, where: str = "row", depth: int = 0) -> None:
    """No NUL (PostgreSQL cannot store it) and no lone surrogate (it is not text) anywhere, keys included; and not
    nested so deeply that what reads it later gives up."""
    if depth > MAX_DEPTH and isinstance(value, dict | list):
        raise RowError(_TOO_DEEP)
    if isinstance(value, str):
        if "\x00" in value:
            raise RowError(f"{where} contains a NUL character; remove it.")
        if not _is_text(value):
            raise RowError(
                f"{where} is not valid UTF-8 or contains a lone surrogate; save the file as UTF-8."
            )
    elif isinstance(value, dict):
        for key, inner in value.items():
            _require_clean(key, where)
            _require_clean(inner, _shown([key]) if where == "row" else f"{where}.{_shown([key])}", depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _require_clean(inner, f"{where}[{index}]", depth + 1)
