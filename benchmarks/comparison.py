"""Measure time and memory of importing 100,000 pairs, and the response times of the comparison's pages.

`python -m benchmarks.comparison [--pairs N] [--database NAME]` writes var/bench/comparison.json. It runs on SQLite and
on PostgreSQL, in separate databases. The goals are the documented ones: 60 s, constant memory, 300 ms per page, and a
streamed download whose memory does not depend on the number of pairs.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import psutil  # type: ignore[import-untyped]

from benchmarks.reviewing.site import environment

ROOT = Path(__file__).resolve().parent.parent
GOAL_SECONDS, GOAL_MS, GOAL_EXPORT_MIB = 60, 300, 64
DATABASES = ("sqlite", "postgresql")
ISSUES = ("refund", "return", "exchange", "delivery", "warranty", "cancellation")
DECISIONS = ("Eligible", "Not eligible", "Needs review", "Partly eligible")
WORDS = [
    "thank",
    "you",
    "for",
    "reaching",
    "out",
    "we",
    "are",
    "sorry",
    "to",
    "hear",
    "that",
    "your",
    "order",
    "has",
    "not",
    "arrived",
    "as",
    "expected",
    "please",
    "allow",
    "us",
    "to",
    "look",
    "into",
    "this",
    "matter",
    "and",
    "let",
    "you",
    "know",
    "what",
    "can",
    "be",
    "done",
    "within",
    "the",
    "return",
    "window",
    "of",
    "our",
    "policy",
]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--database", choices=DATABASES, help="one of the two (default both)")
    default = Path(os.environ.get("VAR_DIR", ROOT / "var")) / "bench" / "comparison.json"
    parser.add_argument("--out", type=Path, default=default)
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    if given.database is None:
        sys.exit(_both(given))
    with (
        tempfile.TemporaryDirectory(prefix="ftplatform-bench-") as name,
        environment(Path(name), given.database),
    ):
        result = {"database": given.database, **_measure(Path(name), given.pairs)}
    given.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    sys.exit(not result["goals_met"])


def _both(given: argparse.Namespace) -> int:
    """Run each database in a separate process, because settings are read only once."""
    results, status = {}, 0
    for database in DATABASES:
        with tempfile.NamedTemporaryFile(suffix=".json") as part:
            command = [sys.executable, "-m", "benchmarks.comparison", "--database", database]
            command += ["--pairs", str(given.pairs), "--out", part.name]
            status |= subprocess.run(command).returncode
            results[database] = json.loads(Path(part.name).read_text() or "{}")
    given.out.write_text(json.dumps(results, indent=2) + "\n")
    return status


def write_pairs(file: Path, pairs: int, seed: int = 20) -> None:
    """Write pairs like those of a customer service: JSON with a decision, flags and a reply of about fifty words."""
    draw = random.Random(seed)
    with file.open("w") as out:
        for number in range(pairs):
            expected = _answer(draw, 50)
            row = {
                "id": f"case-{number}",
                "prompt": "Decide the case by the policy and answer in JSON.",
                "input": {
                    "order": f"A{number}",
                    "issue_type": draw.choice(ISSUES),
                    "tier": draw.choice("abcd"),
                },
                "expected": expected,
                "baseline": json.dumps(_answer(draw, 90)),
                "candidate": json.dumps(expected if draw.random() < 0.7 else _answer(draw, 50)),
                "baseline_output_tokens": draw.randint(100, 200),
                "candidate_output_tokens": draw.randint(50, 80),
                "baseline_latency_ms": draw.uniform(3000, 9000),
                "candidate_latency_ms": draw.uniform(2000, 5000),
            }
            out.write(json.dumps(row) + "\n")


def _answer(draw: random.Random, words: int) -> dict[str, Any]:
    return {
        "decision": draw.choice(DECISIONS),
        "customer_response": " ".join(draw.choices(WORDS, k=words)).capitalize() + ".",
        "next_action": draw.choice(("Proceed", "Escalate", "Wait")),
        "escalation_required": draw.random() < 0.2,
    }


def _measure(folder: Path, pairs: int) -> dict[str, Any]:
    import django

    django.setup()
    from django.core.management import call_command
    from django.test import Client

    from evaluation.comparison.services import pair_imports
    from ftplatform.accounts.models import User

    call_command("migrate", verbosity=0)
    user = User.objects.create_user("bench@example.org", None, role="manager", name="Bench")
    write_pairs(folder / "pairs.jsonl", pairs)
    memory = _Memory()
    started, cpu = time.perf_counter(), time.process_time()
    with memory, (folder / "pairs.jsonl").open("rb") as file:
        run = pair_imports.create(
            user=user, name="bench", file=file, source_name="pairs.jsonl", baseline="one", candidate="other"
        )
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    pages = {name: _time(partial(client.get, path)) for name, path in _addresses(run).items()}
    slowest = max(page["ms"] for page in pages.values())
    export = _export(partial(client.get, f"/comparisons/{run.pk}/pairs.csv"))
    return {
        "pairs": pairs,
        "cpus": os.cpu_count(),
        "import_seconds": round(seconds, 1),
        "import_cpu_seconds": round(cpu, 1),
        "pairs_per_second": round(pairs / seconds),
        "memory_growth_mib": memory.growth(),
        "peak_rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "pages": pages,
        "slowest_page_ms": slowest,
        "export": export,
        "goals": {
            "import_seconds": GOAL_SECONDS,
            "page_ms": GOAL_MS,
            "export_memory_growth_mib": GOAL_EXPORT_MIB,
        },
        "goals_met": seconds <= GOAL_SECONDS
        and slowest < GOAL_MS
        and export["memory_growth_mib"] < GOAL_EXPORT_MIB
        and export["lines"] == pairs + 1,
    }


def _addresses(run: Any) -> dict[str, str]:
    """Every page, filter and order of the table, at its start and far into it, and the same through the API."""
    page, api = f"/comparisons/{run.pk}/", f"/api/v1/comparisons/{run.pk}/"
    last = run.prompt_set.size // 25
    pair, slice_ = run.pairs.latest("pk").pk, "tag=issue_type:refund"
    return {
        "overview": page,
        "last page": f"{page}?page={last}",
        "worse": f"{page}?change=worse&page={last // 16}",
        "better": f"{page}?change=better&page={last // 4}",
        "same": f"{page}?change=same&page={last // 16}",
        "worst first": f"{page}?order=worst",
        "worst first, last page": f"{page}?order=worst&page={last}",
        "field worse": f"{page}?change=worse&field=decision&page={last // 40}",
        "field better": f"{page}?change=better&field=decision&page={last // 4}",
        "free text worse": f"{page}?change=worse&field=customer_response",
        "slice": f"{page}?{slice_}&page={last // 8}",
        "slice of prompts' length": f"{page}?tag=length:up%20to%2020%20words&page={last}",
        "slice worse": f"{page}?change=worse&{slice_}",
        "field worse in a slice, worst first": f"{page}?change=worse&field=decision&{slice_}&order=worst&page=20",
        "one pair": f"{page}pairs/{pair}/",
        "list of comparisons": "/comparisons/",
        "prompt set": f"/prompt-sets/{run.prompt_set_id}/",
        "overview as Markdown": f"{page}comparison.md",
        "api: comparison": f"{api}comparison/",
        "api: pairs": f"{api}pairs/",
        "api: pairs, last page": f"{api}pairs/?page={last // 2}",
        "api: worse in a slice, worst first": f"{api}pairs/?change=worse&{slice_}&order=worst&page=2",
        "api: one pair": f"{api}pairs/{pair}/",
    }


def _time(get: Callable[[], Any]) -> dict[str, float]:
    """Median of five requests in milliseconds, and the number of queries. A first request is discarded as warm-up."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    taken = []
    for _ in range(6):
        started = time.perf_counter()
        response = get()
        assert response.status_code == 200, response.status_code
        taken.append(1000 * (time.perf_counter() - started))
    with CaptureQueriesContext(connection) as queries:
        get()
    return {"ms": round(median(taken[1:]), 1), "queries": len(queries)}


def _export(get: Callable[[], Any]) -> dict[str, float]:
    """Download every pair as CSV in chunks, as a browser does."""
    started = time.perf_counter()
    lines = size = 0
    first = None
    with _Memory() as memory:
        for piece in get().streaming_content:
            first = first or time.perf_counter() - started
            lines += piece.count(b"\r\n")
            size += len(piece)
    return {
        "lines": lines,
        "mib": round(size / 2**20, 1),
        "first_piece_ms": round(1000 * (first or 0), 1),
        "seconds": round(time.perf_counter() - started, 1),
        "memory_growth_mib": memory.growth(),
    }


class _Memory:
    """Samples the resident memory ten times a second."""

    def __init__(self) -> None:
        self._samples: list[int] = []
        self._stop = threading.Event()

    def __enter__(self) -> "_Memory":
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        process = psutil.Process()
        while not self._stop.wait(0.1):
            self._samples.append(process.memory_info().rss)

    def growth(self) -> float:
        """Difference between the means of the second and the last quarter, in MiB. A leak would show here."""
        quarter = max(1, len(self._samples) // 4)
        early, late = self._samples[quarter : 2 * quarter], self._samples[-quarter:]
        return round((sum(late) / len(late) - sum(early) / max(1, len(early))) / 2**20, 1) if early else 0.0


if __name__ == "__main__":
    main()
