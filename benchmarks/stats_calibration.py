"""Measure the false positives, power and coverage of everything that the report infers.

1. Twelve scenarios of crossed prompts and reviewers (see `benchmarks.calibration.scenarios`): false positives, power
   and coverage of every inference of the report, and of common ones that it does not use.
2. Coverage of the intervals with 2 to 40 reviewers and away from no preference (see `benchmarks.calibration.coverage`).

The numbers of replicates are fixed beforehand and equal for all scenarios: --replicates for the headline, its parts and
the tests of the picture, --others for every further procedure, --intervals for part 2. Writes the figures as JSON.
`python -m benchmarks.calibration.picture` makes the guide's picture and table from docs/pictures/calibration.json.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.stats_calibration --replicates 2000 --others 200 --intervals 200
"""

import argparse
import json
import math
import os
import platform
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.calibration.coverage import Coverage, cells, measure
from benchmarks.calibration.procedures import (
    Answer,
    answers,
    core_answers,
    headline_answers,
    margin_answers,
)
from benchmarks.calibration.scenarios import MARGIN, SCENARIOS, Scenario, draw, effect_for

CHUNK = 50
Answers = dict[str, list[Answer]]


@dataclass(frozen=True)
class Figures:
    """Percentages over the replicates, with the Monte Carlo standard error of the first; None if there is none.

    `false_positives`: there is no difference. `coverage`: the interval contains the true value, without and with an
    effect. Power and coverage with an effect use every second replicate, except that the headline and its parts use
    all.
    """

    replicates: int
    false_positives: float
    standard_error: float
    coverage: float | None
    coverage_with_effect: float | None
    power: float | None


@dataclass(frozen=True)
class Job:
    """A number of replicates of one scenario with their own seed. The first `asked_all` run every procedure."""

    scenario: Scenario
    replicates: int
    asked_all: int
    seed: tuple[int, int, int]


def run(job: Job) -> tuple[Answers, Answers, dict[str, list[tuple[bool, bool]]]]:
    """Answers without and with an effect, and the claims at the margin."""
    rng = np.random.default_rng(job.seed)
    at_margin = effect_for(0.5 + MARGIN, job.scenario.tie_within)
    without: Answers = defaultdict(list)
    with_effect: Answers = defaultdict(list)
    margins: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for number in range(job.replicates):
        seed = int(rng.integers(2**31))
        even, better = draw(job.scenario, 0.0, rng), draw(job.scenario, job.scenario.effect, rng)
        on_margin = draw(job.scenario, at_margin, rng)
        everything = number < job.asked_all
        # Power needs fewer replicates than a level of 5 %, except for the headline's ratio.
        power_of_all = everything and number % 2 == 0
        answers_with_effect = (
            answers(better, job.scenario, seed) if power_of_all else headline_answers(better)
        )
        level = answers(even, job.scenario, seed) if everything else core_answers(even)
        for into, answered in ((without, level), (with_effect, answers_with_effect)):
            for name, answer in answered.items():
                into[name].append(answer)
        for name, claims in margin_answers(on_margin, even).items() if everything else ():
            margins[name].append(claims)
    return dict(without), dict(with_effect), dict(margins)


def calibrate(
    scenario: Scenario, replicates: int, seed: int, processes: int = 1, others: int | None = None
) -> dict[str, Figures]:
    """Figures of every procedure in one scenario. They do not depend on the number of processes.

    `others` is the number of replicates that run every procedure (default: all). The rest run the headline, its parts,
    and the tests of the picture.
    """
    others = replicates if others is None else others
    number = [one.name for one in SCENARIOS].index(scenario.name)
    sizes = [min(CHUNK, replicates - done) for done in range(0, replicates, CHUNK)]
    jobs = [
        Job(scenario, size, max(0, others - chunk * CHUNK), (seed, number, chunk))
        for chunk, size in enumerate(sizes)
    ]
    if processes == 1:
        parts = [run(job) for job in jobs]
    else:
        with ProcessPoolExecutor(processes) as pool:
            parts = list(pool.map(run, jobs))
    figures = {
        name: _figures(
            [answer for without, _, _ in parts for answer in without.get(name, ())],
            [answer for _, with_effect, _ in parts for answer in with_effect.get(name, ())],
        )
        for name in parts[0][0]
    }
    for name in parts[0][2]:
        claims = np.array([claim for _, _, margins in parts for claim in margins.get(name, ())])
        wrong, right = claims.mean(0)
        figures[name] = Figures(len(claims), 100 * wrong, _error(wrong, len(claims)), None, None, 100 * right)
    return figures


def _figures(without: list[Answer], with_effect: list[Answer]) -> Figures:
    false = float(np.mean([answer.rejects for answer in without]))
    return Figures(
        len(without),
        100 * false,
        _error(false, len(without)),
        _coverage(without),
        _coverage(with_effect),
        100 * float(np.mean([answer.rejects for answer in with_effect])) if with_effect else None,
    )


def _coverage(results: list[Answer]) -> float | None:
    covered = [answer.covers for answer in results if answer.covers is not None]
    return 100 * float(np.mean(covered)) if covered else None


def _error(share: float, n: int) -> float:
    return 100 * math.sqrt(share * (1 - share) / n)


def show(scenario: Scenario, by_test: dict[str, Figures]) -> None:
    print(f"\n{scenario.name}: false positives, coverage without and with an effect, power (%)")
    for name, rates in by_test.items():
        rest = (rates.coverage, rates.coverage_with_effect, rates.power)
        shown = "  ".join("    –" if value is None else f"{value:5.1f}" for value in rest)
        print(f"  {name:42} {rates.false_positives:5.1f} ± {rates.standard_error:.1f}  {shown}", flush=True)


def intervals(replicates: int, seed: int, processes: int) -> Iterator[dict[str, Any]]:
    """One row per cell and interval, printed as it is measured."""
    print(f"\nCoverage of 95 % intervals, {replicates} replicates (above, below the truth), mean width")
    grid = list(cells())
    with ProcessPoolExecutor(processes) as pool:
        for cell, found in zip(grid, pool.map(measure, grid, repeat(replicates), repeat(seed)), strict=True):
            row = {
                "scenario": cell.scenario.name,
                "reviewers": cell.scenario.reviewers,
                "win_score": cell.win_score,
            }
            for name, coverage in found.items():
                print(
                    "  ".join(f"{value!s:>9}" for value in row.values()),
                    f"  {name:22}",
                    _line(coverage),
                    flush=True,
                )
                yield {**row, "interval": name, **asdict(coverage)}


def _line(found: Coverage) -> str:
    return f"{found.covered:5.1f} ± {found.error:.1f} ({found.above:4.1f}, {found.below:4.1f})  {found.width:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--others", type=int, default=200)
    parser.add_argument("--intervals", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path("var/bench/stats_calibration.json"))
    options = parser.parse_args()
    started = time.perf_counter()
    record = _settings(options)
    results: dict[str, dict[str, Figures]] = {}
    for scenario in SCENARIOS:
        results[scenario.name] = calibrate(
            scenario, options.replicates, options.seed, options.processes, options.others
        )
        show(scenario, results[scenario.name])
        record |= _results(results)
        _write(record, started, options.out)
    record["coverage"] = list(intervals(options.intervals, options.seed, options.processes))
    _write(record, started, options.out)


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    numbers = {name: getattr(options, name) for name in ("replicates", "others", "intervals", "seed")}
    given = " ".join(f"--{name} {value}" for name, value in numbers.items())
    return {
        "command": f"python -m benchmarks.stats_calibration {given}",
        **numbers,
        "machine": {"python": platform.python_version(), "cores": os.cpu_count()},
        "scenarios": [asdict(scenario) for scenario in SCENARIOS],
    }


def _results(results: dict[str, dict[str, Figures]]) -> dict[str, Any]:
    relative = {
        name: 100 * (by_test["headline"].power or 0.0) / max(by_test["mixed model (REML)"].power or 0.0, 1e-9)
        for name, by_test in results.items()
    }
    return {
        "results": {s: {t: asdict(f) for t, f in by_test.items()} for s, by_test in results.items()},
        "headline_power_relative_to_reml": relative,
    }


def _write(record: dict[str, Any], started: float, path: Path) -> None:
    record["seconds"] = round(time.perf_counter() - started, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
