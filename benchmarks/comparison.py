"""100,000 imported pairs: matched and summarised how fast, in how much memory, and how quickly the pages answer.

`python -m benchmarks.comparison [--pairs N]` writes var/bench/comparison.json. It works in a database of its own under
a temporary folder. The goals are those that the pages promise: 60 s, flat memory, 300 ms.
"""

import argparse
import json
import os
import random
import resource
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

ROOT = Path(__file__).resolve().parent.parent
GOAL_SECONDS, GOAL_MS = 60, 300
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
    pairs = parser.parse_args().pairs
    target = Path(os.environ.get("VAR_DIR", ROOT / "var")) / "bench" / "comparison.json"
    with tempfile.TemporaryDirectory(prefix="ftplatform-bench-") as folder:
        os.environ |= {"VAR_DIR": folder, "HTTPS": "0", "DJANGO_SETTINGS_MODULE": "ftplatform.settings"}
        os.environ.pop("DATABASE_URL", None)
        result = _measure(Path(folder), pairs)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    sys.exit(not result["goals_met"])


def write_pairs(file: Path, pairs: int, seed: int = 20) -> None:
    """Pairs like those of a customer service: JSON with a decision, flags and a reply of some fifty words."""
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

    from evaluation.services import pair_imports
    from ftplatform.accounts.models import User

    call_command("migrate", verbosity=0)
    user = User.objects.create_user("bench@example.org", None, role="manager", name="Bench")
    write_pairs(folder / "pairs.jsonl", pairs)
    memory = _Memory()
    started = time.perf_counter()
    with memory, (folder / "pairs.jsonl").open("rb") as file:
        run = pair_imports.create(
            user=user, name="bench", file=file, source_name="pairs.jsonl", baseline="one", candidate="other"
        )
    seconds = time.perf_counter() - started
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    pages = {name: _time(partial(client.get, path)) for name, path in _addresses(run).items()}
    return {
        "pairs": pairs,
        "cpus": os.cpu_count(),
        "import_seconds": round(seconds, 1),
        "pairs_per_second": round(pairs / seconds),
        "memory_growth_mib": memory.growth(),
        "peak_rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "page_ms": pages,
        "goals": {"import_seconds": GOAL_SECONDS, "page_ms": GOAL_MS},
        "goals_met": seconds <= GOAL_SECONDS and max(pages.values()) < GOAL_MS,
    }


def _addresses(run: Any) -> dict[str, str]:
    page = f"/comparisons/{run.pk}/"
    middle = run.prompt_set.size // 50
    return {
        "overview": page,
        "last_pages": f"{page}?page={middle * 2 - 1}",
        "worse": f"{page}?change=worse&page={middle // 8}",
        "worst_first": f"{page}?order=worst&page={middle}",
        "field_worse": f"{page}?change=worse&field=decision&page=100",
        "slice": f"{page}?tag=issue_type:refund&page=200",
        "slice_worse": f"{page}?change=worse&tag=issue_type:refund",
        "pair": f"{page}pairs/{run.pairs.latest('pk').pk}/",
        "comparisons": "/comparisons/",
    }


def _time(get: Callable[[], Any]) -> float:
    """Median of five answers in milliseconds, the first left out: connections and templates are warm in service."""
    taken = []
    for _ in range(6):
        started = time.perf_counter()
        response = get()
        assert response.status_code == 200, response.status_code
        taken.append(1000 * (time.perf_counter() - started))
    return round(median(taken[1:]), 1)


class _Memory:
    """Resident memory while something runs, sampled ten times a second."""

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
        """From the mean of the second quarter to that of the last, in MiB: what a leak would show."""
        quarter = max(1, len(self._samples) // 4)
        early, late = self._samples[quarter : 2 * quarter], self._samples[-quarter:]
        return round((sum(late) / len(late) - sum(early) / max(1, len(early))) / 2**20, 1) if early else 0.0


if __name__ == "__main__":
    main()
