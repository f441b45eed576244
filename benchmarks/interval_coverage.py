"""Coverage of the headline's interval away from no preference, with few and many reviewers.

For every scenario of `benchmarks.calibration.scenarios`, number of reviewers and true win score: the share of
simulated reviews whose 95 % interval covers the truth, the shares in which it lies above and below it, and for
comparison those of the symmetric interval of the same standard error. All cells have the same number of replicates,
fixed beforehand.

    python -m benchmarks.interval_coverage --replicates 500
"""

import argparse
import json
import math
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from scipy import optimize

from benchmarks.calibration.scenarios import SCENARIOS, Scenario, draw, true_win_score
from evaluation.stats.estimate import Interval
from evaluation.stats.primary import win_score

REVIEWERS = (3, 4, 5, 8, 20, 40)
WIN_SCORES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97)


@dataclass(frozen=True)
class Cell:
    """One scenario with this number of reviewers and this true win score."""

    scenario: Scenario
    win_score: float


@dataclass(frozen=True)
class Coverage:
    """Percentages of the replicates: covered, interval above the truth, interval below it; mean width in points."""

    covered: float
    above: float
    below: float
    width: float


def measure(cell: Cell, replicates: int, seed: int) -> tuple[Coverage, Coverage]:
    """Coverage of the report's interval and of the symmetric one."""
    rng = np.random.default_rng([seed, cell.scenario.reviewers, round(1000 * cell.win_score)])
    effect = float(optimize.brentq(lambda e: true_win_score(e) - cell.win_score, -6, 6))
    ours, symmetric = [], []
    for _ in range(replicates):
        score = win_score(draw(cell.scenario, effect, rng).ratings)
        shown, plain, value = score.interval(), score.headline.interval(), score.value
        assert shown is not None and value is not None
        ours.append(shown)
        # Without variation there is no symmetric interval; a point is what it would have shrunk to.
        symmetric.append(plain or Interval(value, value))
    return _coverage(ours, cell.win_score), _coverage(symmetric, cell.win_score)


def _coverage(intervals: list[Interval], truth: float) -> Coverage:
    above = float(np.mean([one.low > truth for one in intervals]))
    below = float(np.mean([one.high < truth for one in intervals]))
    width = float(np.mean([one.high - one.low for one in intervals]))
    return Coverage(100 * (1 - above - below), 100 * above, 100 * below, 100 * width)


def cells() -> Iterator[Cell]:
    for scenario in SCENARIOS:
        if scenario.name == "few reviewers":
            continue  # "high" with 8 reviewers, which is in the grid
        for reviewers in REVIEWERS:
            for value in WIN_SCORES:
                yield Cell(replace(scenario, reviewers=reviewers), value)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replicates", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path("var/bench/interval_coverage.json"))
    options = parser.parse_args()
    started, grid = time.perf_counter(), list(cells())
    error = 100 * math.sqrt(0.05 * 0.95 / options.replicates)
    print(f"95 % intervals, {options.replicates} replicates a cell, Monte Carlo error ± {error:.1f}")
    print(
        "scenario  reviewers  truth   covered (above, below)  width   symmetric: covered (above, below)  width"
    )
    rows = []
    with ProcessPoolExecutor(options.processes) as pool:
        count = len(grid)
        results = pool.map(measure, grid, [options.replicates] * count, [options.seed] * count)
        for cell, (ours, symmetric) in zip(grid, results, strict=True):
            name, reviewers = cell.scenario.name, cell.scenario.reviewers
            print(
                f"{name:8}  {reviewers:9}  {cell.win_score:.2f}   {_line(ours)}   {_line(symmetric)}",
                flush=True,
            )
            row = {"scenario": name, "reviewers": reviewers, "win_score": cell.win_score}
            rows.append({**row, "report": asdict(ours), "symmetric": asdict(symmetric)})
    record = {
        "command": f"python -m benchmarks.interval_coverage --replicates {options.replicates} --seed {options.seed}",
        "seconds": round(time.perf_counter() - started, 1),
        "rows": rows,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _line(found: Coverage) -> str:
    return f"{found.covered:6.1f} ({found.above:4.1f}, {found.below:4.1f})  {found.width:5.1f}"


if __name__ == "__main__":
    main()
