"""Compare training runs that are killed repeatedly at random with uninterrupted ones: `python -m benchmarks.kills`.

    python -m benchmarks.kills                  50 kills in pieces of 10, each with its own seed
    python -m benchmarks.kills --kills 10 --seed 3      one piece, added to those already recorded

Each piece runs `tests/faults/test_killed_training.py`, which fails unless metrics, sample answers and adapter of the
killed run equal those of the uninterrupted run bit for bit. Writes var/bench/kills.json after each piece.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree  # written by pytest just before

ROOT = Path(__file__).resolve().parent.parent
TEST = "tests/faults/test_killed_training.py::test_kills_at_random_change_nothing"


def piece(kills: int, seed: int) -> dict[str, Any]:
    """Run the test once. Returns its figures; `equal` is its outcome."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        report = Path(name) / "report.xml"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", TEST, f"--junitxml={report}"],
            cwd=ROOT,
            env={**os.environ, "FAULT_KILLS": str(kills), "FAULT_SEED": str(seed)},
            capture_output=True,
            text=True,
            check=False,
        )
        entries = ElementTree.parse(report).iter("property") if report.exists() else ()  # noqa: S314
        properties = {each.attrib["name"]: each.attrib["value"] for each in entries}
    if done.returncode:
        print(done.stdout[-5000:])
    resumed = [int(step) for step in properties.get("resumed_from", "").split()]
    return {
        "seed": seed,
        "kills": int(properties.get("kills", 0)),
        "attempts": int(properties.get("attempts", 0)),
        "steps": int(properties.get("steps", 0)),
        "resumed_from": resumed,
        "equal": done.returncode == 0,
        "seconds": round(time.monotonic() - began, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--piece", type=int, default=10, help="kills of one run")
    parser.add_argument("--seed", type=int, default=1, help="of the first piece")
    parser.add_argument("--output", type=Path, default=ROOT / "var" / "bench" / "kills.json")
    asked = parser.parse_args()
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    pieces = json.loads(asked.output.read_text())["pieces"] if asked.output.exists() else []
    left, seed, failed = asked.kills, asked.seed, False
    while left > 0:
        result = piece(min(asked.piece, left), seed)
        pieces = [each for each in pieces if each["seed"] != seed] + [result]
        failed = failed or not result["equal"]
        print(
            f"seed {seed}: {result['kills']} kills, {result['attempts']} attempts over {result['steps']} steps, "
            f"resumed from {result['resumed_from']}, {'equal bit for bit' if result['equal'] else 'FAILED'}, "
            f"{result['seconds']:.0f} s",
            flush=True,
        )
        kills = sum(each["kills"] for each in pieces)
        asked.output.write_text(json.dumps({"kills": kills, "pieces": pieces}, indent=2))
        left, seed = left - asked.piece, seed + 1
    print(f"{kills} kills in all, written to {asked.output}.")
    sys.exit(failed)


if __name__ == "__main__":
    main()
