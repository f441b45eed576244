"""Measure memory and speed of importing a large dataset: `python -m benchmarks.datasets [--gigabytes 0.2]`.
Two million short rows: `python -m benchmarks.datasets --gigabytes 0.386 --words 6 --formats jsonl`.

Writes a file of the given size in each format, imports it in a separate process with the service that pages, API and
command use, and prints how much the memory of that process grew. --control also collects all rows in a list, to show
that the measurement would detect it. Writes var/bench/datasets.json.
"""

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WORDS = [f"word{number}" for number in range(5000)]
GOAL_MIB = 200
FORMATS = ["jsonl", "csv", "parquet"]


def rows(size: int, words: int, seed: int = 20) -> Iterator[dict[str, Any]]:
    """Rows with questions of so many words, up to about `size` bytes in total. Every hundredth repeats an earlier
    question."""
    draw = random.Random(seed)
    written, number = 0, 0
    while written < size:
        number += 1
        question = f"{number - 50 if number % 100 == 0 else number} " + " ".join(draw.choices(WORDS, k=words))
        if number % 100 == 0:
            question = "The same question again."
        row = {
            "id": f"row-{number}",
            "instruction": "Decide the case by the policy.",
            "input": {"case": question},
            "output": {
                "decision": draw.choice(["Yes", "No"]),
                "reason": " ".join(draw.choices(WORDS, k=1 + words // 8)),
            },
            "group": f"customer-{draw.randrange(1_000_000)}",
        }
        written += len(question) + 145 + words
        yield row


def write(file: Path, size: int, words: int = 120) -> int:
    """Write the rows as JSON lines, CSV or Parquet. Returns the number of rows."""
    count = 0
    if file.suffix == ".jsonl":
        with file.open("w") as out:
            for row in rows(size, words):
                out.write(json.dumps(row) + "\n")
                count += 1
        return count
    if file.suffix == ".csv":
        with file.open("w", newline="") as out:
            cells = csv.writer(out)
            cells.writerow(["id", "instruction", "input", "output", "group"])
            for row in rows(size, words):
                cells.writerow(json.dumps(each) if isinstance(each, dict) else each for each in row.values())
                count += 1
        return count
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer, batch = None, []
    for row in rows(size, words):
        batch.append(row)
        count += 1
        if len(batch) == 10_000:
            table = pa.Table.from_pylist(batch)
            writer = writer or pq.ParquetWriter(file, table.schema)
            writer.write_table(table)
            batch = []
    table = pa.Table.from_pylist(batch)
    writer = writer or pq.ParquetWriter(file, table.schema)
    writer.write_table(table)
    writer.close()
    return count


CHILD = """
import json, re, sys, time
from pathlib import Path
import django
django.setup()
from ftplatform.errors import DomainError
from training.intake.services import datasets
from training.intake.checking import Wishes, check
from training.intake.problems import ProblemLog
from training.intake.rows import ColumnMapping, read

def peak():
    # Not ru_maxrss: it starts at the size of the process that forked this one.
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

file, control = Path(sys.argv[1]), sys.argv[2] == "control"
COLUMNS = ColumnMapping(
    instruction_column="instruction", input_column="input", output_column="output", id_column="id",
    group_column="group", json_cells=True,
)
began_at = {}

def report_progress(stage, part):
    began_at.setdefault(stage, round(time.process_time() - worked, 1))

before, began, worked = peak(), time.monotonic(), time.process_time()
with file.open("rb") as stored:
    if control:
        kept = list(read(stored, file.name, COLUMNS if file.suffix == ".csv" else None))
        counts = {"all": len(kept)}
    else:
        with datasets.incoming() as folder, ProblemLog() as problems:
            wishes = Wishes(mapping=COLUMNS if file.suffix == ".csv" else None, test_share=0.1)
            counts = check(stored, file.name, wishes, folder, problems, report_progress).counts
seconds = time.monotonic() - began
used = {"seconds": seconds, "processor_seconds": time.process_time() - worked}
print(json.dumps({"grown_mib": peak() - before, **used, "rows": counts, "stages": began_at}))
"""


def measure(file: Path, folder: Path, *, control: bool = False) -> dict[str, Any]:
    """Import `file` in a new process. Returns its memory growth in MiB, seconds, and rows by split."""
    environment = {**os.environ, "VAR_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "ftplatform.settings"}
    environment.pop("ARTEFACT_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(file), "control" if control else "import"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    measured: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--gigabytes", type=float, default=0.1)
    parser.add_argument("--words", type=int, default=120, help="of a question; 120 make rows of a kilobyte")
    parser.add_argument("--control", action="store_true", help="also measure a list of all rows")
    parser.add_argument("--formats", nargs="+", default=FORMATS, choices=FORMATS)
    asked = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as scratch:
        for kind in asked.formats:
            file = Path(scratch) / f"rows.{kind}"
            began = time.monotonic()
            count = write(file, int(asked.gigabytes * 2**30), asked.words)
            size = file.stat().st_size
            print(
                f"{kind}: {size / 2**30:.2f} GiB, {count:,} rows, written in {time.monotonic() - began:.0f} s"
            )
            for control in [False, True] if asked.control else [False]:
                result = measure(file, Path(scratch) / "var", control=control)
                result |= {"format": kind, "bytes": size, "control": control}
                rate = size / 2**20 / result["seconds"]
                what = "control, a list of all rows" if control else "import"
                print(
                    f"  {what}: grew by {result['grown_mib']:.0f} MiB (goal {GOAL_MIB}), "
                    f"{result['seconds']:.0f} s ({result['processor_seconds']:.0f} s of a processor), {rate:.0f} MiB/s"
                    f", rows {result['rows']}"
                )
                results.append(result)
            file.unlink()
    target = ROOT / "var" / "bench" / "datasets.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"goal_mib": GOAL_MIB, "results": results}, indent=2))


if __name__ == "__main__":
    main()
