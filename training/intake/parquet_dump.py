"""Write a Parquet file as lines of JSON, in an isolated process: `python parquet_dump.py`.

A few bytes of Parquet can demand any amount of memory (compressed pages, dictionaries, runs of a billion nulls), and
its reader is C++ code that parses untrusted files. So the file is read here, under memory and time limits that the
system enforces, and the parent stops reading lines when it has enough. Standard library and pyarrow only; no Django.

stdin is the file. Each line on stdout begins with its type: `C` the columns, with the reason for those that are not
read; `R` a row; `X` a row with the reason for each cell that cannot be read; `F` why the file cannot be read. A
non-zero exit status without `F` means that a limit was reached.
"""

import json
import os
import resource
import sys
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

MEMORY_BYTES = 768 * 2**20
BATCH_ROWS = 64


def main() -> int:
    # pyarrow's own pools keep freed memory; the system allocator returns it.
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
    import pyarrow
    import pyarrow.parquet

    pyarrow.set_cpu_count(1)
    _limit()
    out = sys.stdout
    if hasattr(out, "reconfigure"):
        out.reconfigure(encoding="utf-8")
    try:
        file = pyarrow.parquet.ParquetFile(sys.stdin.buffer, pre_buffer=False, buffer_size=2**16)
        unread = {field.name: why for field in file.schema_arrow if (why := _unplain(pyarrow, field.type))}
        names = file.schema_arrow.names
        out.write(
            "C" + json.dumps({"columns": names, "unread": unread, "rows": file.metadata.num_rows}) + "\n"
        )
        wanted = [name for name in names if name not in unread] if unread else None
        for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False, columns=wanted):
            for row in batch.to_pylist():
                out.write(_line(row) + "\n")
        out.flush()
    except BrokenPipeError:
        os._exit(0)
    except (MemoryError, pyarrow.ArrowMemoryError):
        return 3
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        out.write("F" + _one_line(error) + "\n")
        out.flush()
        return 2
    return 0


def _limit() -> None:
    """Limit memory to the current use plus MEMORY_BYTES (only on Linux), and time according to the file's size."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        most = int(statm.read_text().split()[0]) * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    seconds = 30 + os.fstat(0).st_size // 2**20
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _unplain(pyarrow: Any, kind: Any) -> str:
    """Why a column is not read: an extension type may bring code, and map keys may not be text."""
    types = pyarrow.types
    if isinstance(kind, pyarrow.BaseExtensionType) or types.is_map(kind) or types.is_union(kind):
        return f"The type {_shown(kind)} is not supported; use text or a struct."
    inner = (_unplain(pyarrow, kind.field(index).type) for index in range(kind.num_fields))
    return next(filter(None, inner), "")


def _shown(kind: Any) -> str:
    return " ".join(str(kind).split())[:100]


def _line(row: dict[str, Any]) -> str:
    try:
        return "R" + _written(row)
    except ValueError:
        cells: dict[str, Any] = {}
        bad: dict[str, str] = {}
        for name, value in row.items():
            try:
                _written(value)
                cells[name] = value
            except UnicodeDecodeError:
                bad[name] = "The value is bytes that are not UTF-8; store it as text."
            except ValueError as error:
                bad[name] = f"The value cannot be written as JSON ({_one_line(error)}); use null or a number."
        return "X" + _written({"cells": cells, "bad": bad})


def _written(value: Any) -> str:
    return json.dumps(value, default=_plain, ensure_ascii=False, allow_nan=False)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _plain(value: Any) -> str:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal | timedelta):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8")
    raise ValueError(f"the type {type(value).__name__}")


if __name__ == "__main__":
    sys.exit(main())
