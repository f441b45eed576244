"""Write a Parquet file as lines of JSON, in an isolated process: `python parquet_dump.py`.

A few bytes of Parquet can demand any amount of memory (compressed pages, dictionaries, runs of a billion nulls), and
its reader is C++ code that parses untrusted files. So the file is read here, under memory and time limits that the
system enforces, and the parent stops reading lines when it has enough. Standard library and pyarrow only; no Django.

stdin is the file. Each line on stdout begins with its type: `C` the column names, `R` a row, `E` why one row cannot
be read, `F` why the file cannot be read. A non-zero exit status without `F` means that a limit was reached.
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
        for field in file.schema_arrow:
            _require_plain(pyarrow, field.type, field.name)
        said = {"columns": file.schema_arrow.names, "rows": file.metadata.num_rows}
        out.write("C" + json.dumps(said) + "\n")
        for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
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


def _require_plain(pyarrow: Any, kind: Any, name: str) -> None:
    """Allow only columns of plain values: an extension type may bring code, and map keys may not be text."""
    types = pyarrow.types
    if isinstance(kind, pyarrow.BaseExtensionType) or types.is_map(kind) or types.is_union(kind):
        raise ValueError(
            f"The column {name} has the type {kind}, which is not supported. Use text or a struct."
        )
    for index in range(kind.num_fields):
        _require_plain(pyarrow, kind.field(index).type, name)


def _line(row: dict[str, Any]) -> str:
    try:
        return "R" + json.dumps(row, default=_plain, ensure_ascii=False, allow_nan=False)
    except UnicodeDecodeError:
        return "EA value of bytes is not valid UTF-8; store it as text."
    except ValueError as error:
        return f"EA value cannot be written as JSON ({_one_line(error)}); use null or a number."


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
