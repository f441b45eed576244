"""Measure how long a full report takes and how the time grows.

Headline, criteria, REML, bootstrap intervals, α and the plots run in a separate process for each size, so that the peak
memory belongs to that size alone. statsmodels' crossed MixedLM on the headline alone is timed for comparison where it
finishes.

    python -m benchmarks.stats
    python -m benchmarks.stats --quick
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

# (prompts, ratings per prompt, reviewers); goals in seconds and megabytes.
SIZES = (
    (334, 3, 30, None, None),
    (3_334, 3, 100, 2.0, None),
    (10_000, 10, 500, None, None),
    (50_000, 20, 2_000, 30.0, 2_000.0),
)
CRITERIA = 5
# statsmodels builds the covariance of all ratings, which takes hours beyond some thousands.
STATSMODELS_SECONDS = 120


def ratings(prompts: int, overlap: int, reviewers: int, seed: int = 0) -> Any:
    """A review whose prompts each have `overlap` distinct reviewers."""
    from evaluation.stats import Ratings

    rng = np.random.default_rng(seed)
    n = prompts * overlap
    prompt = np.repeat(np.arange(prompts), overlap)
    first, step = rng.integers(reviewers, size=prompts), rng.integers(1, reviewers // overlap, size=prompts)
    reviewer = ((first[:, None] + step[:, None] * np.arange(overlap)) % reviewers).ravel()
    crossed = 0.55 * rng.standard_normal(prompts)[prompt] + 0.35 * rng.standard_normal(reviewers)[reviewer]
    latent = 0.2 + crossed + 0.75 * rng.standard_normal(n)
    outcome = np.where(latent > 0.4, 0, np.where(latent < -0.4, 3, 1))
    criteria = {}
    for number in range(CRITERIA):
        base = 6 + rng.standard_normal(n)
        after = base + crossed + rng.standard_normal(n)
        criteria[f"criterion_{number}"] = np.clip(np.round(base), 1, 10), np.clip(np.round(after), 1, 10)
    words = rng.integers(20, 300, (2, n)).astype(np.float64)
    return Ratings(prompt, reviewer, outcome, rng.random(n) < 0.5, criteria, lengths=(words[0], words[1]))


def measure(prompts: int, overlap: int, reviewers: int) -> dict[str, Any]:
    """Seconds of the analysis and of the plots, and the peak memory of this process."""
    from evaluation.report.charts.report import figures
    from evaluation.report.document import build
    from evaluation.stats import Plan, analyse
    from ftplatform.charts import export_svg

    rows = ratings(prompts, overlap, reviewers)
    begun, cpu = time.perf_counter(), time.process_time()
    report = analyse(rows, Plan())
    analysed = time.perf_counter()
    result = report.to_json()
    for figure in figures(build(result), result).values():
        export_svg(figure.spec)
    drawn = time.perf_counter()
    return {
        "ratings": len(rows),
        "prompts": prompts,
        "reviewers": reviewers,
        "analysis_seconds": round(analysed - begun, 2),
        "plots_seconds": round(drawn - analysed, 2),
        "seconds": round(drawn - begun, 2),
        # Processor time is more reliable than wall-clock time on a busy machine.
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "mixed_model": report.primary.mixed_model is not None,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def statsmodels_seconds(prompts: int, overlap: int, reviewers: int) -> float | None:
    """Seconds that statsmodels' crossed MixedLM takes for the headline alone; None if it was stopped."""
    command = [sys.executable, "-m", "benchmarks.stats", "--statsmodels", f"{prompts},{overlap},{reviewers}"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=STATSMODELS_SECONDS, check=True
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return None
    return float(done.stdout.split()[-1])


def run_statsmodels(prompts: int, overlap: int, reviewers: int) -> None:
    import pandas as pd  # type: ignore[import-untyped]
    import statsmodels.formula.api as smf

    rows = ratings(prompts, overlap, reviewers)
    frame = pd.DataFrame({"d": rows.win_score, "p": rows.prompt, "r": rows.reviewer, "all": 1})
    begun = time.perf_counter()
    components = {"p": "0 + C(p)", "r": "0 + C(r)"}
    smf.mixedlm("d ~ 1", frame, groups="all", vc_formula=components).fit(reml=True)
    print(time.perf_counter() - begun)


def _in_a_process(size: tuple[int, int, int]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.stats", "--one", ",".join(map(str, size))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="only the sizes up to 10,000 ratings")
    parser.add_argument("--one", help="prompts,ratings per prompt,reviewers: measure here, as JSON")
    parser.add_argument("--statsmodels", help="prompts,ratings per prompt,reviewers: seconds of MixedLM")
    parser.add_argument("--out", type=Path, default=Path("var/bench/stats.json"))
    options = parser.parse_args()
    if options.one:
        prompts, overlap, reviewers = map(int, options.one.split(","))
        print(json.dumps(measure(prompts, overlap, reviewers)))
    elif options.statsmodels:
        prompts, overlap, reviewers = map(int, options.statsmodels.split(","))
        run_statsmodels(prompts, overlap, reviewers)
    else:
        sys.exit(_all(SIZES[:2] if options.quick else SIZES, options.out))


def _all(sizes: tuple[tuple[int, int, int, float | None, float | None], ...], out: Path) -> int:
    rows, missed = [], []
    for prompts, overlap, reviewers, seconds, megabytes in sizes:
        row = _in_a_process((prompts, overlap, reviewers))
        row["goal_seconds"], row["goal_mb"] = seconds, megabytes
        row["statsmodels_seconds"] = (
            statsmodels_seconds(prompts, overlap, reviewers) if row["ratings"] <= 20_000 else None
        )
        rows.append(row)
        if seconds is not None and row["seconds"] > seconds:
            missed.append(f"{row['ratings']:,} ratings took {row['seconds']} s instead of {seconds} s")
        if megabytes is not None and row["peak_mb"] > megabytes:
            missed.append(f"{row['ratings']:,} ratings took {row['peak_mb']} MB instead of {megabytes} MB")
        other = "–" if row["statsmodels_seconds"] is None else f"{row['statsmodels_seconds']:.1f} s"
        print(
            f"{row['ratings']:>9,} ratings  {row['seconds']:>6.2f} s  {row['peak_mb']:>5} MB  "
            f"(statsmodels, headline alone: {other})",
            flush=True,
        )
    last, before = rows[-1], rows[-2]
    record = {
        "machine": {
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
        },
        "growth": round((last["seconds"] / before["seconds"]) / (last["ratings"] / before["ratings"]), 2),
        "missed": missed,
        "rows": rows,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"time grows {record['growth']} times as fast as the ratings", *missed, sep="\n")
    return 1 if missed else 0


if __name__ == "__main__":
    main()
