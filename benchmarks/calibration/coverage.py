"""Coverage of the report's intervals away from no preference, with 2 to 40 reviewers.

For comparison: the symmetric interval with the same standard error, and Wilson's score interval on the effective number
of ratings, both with the report's degrees of freedom.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.calibration.scenarios import SCENARIOS, Scenario, draw, effect_for, true_share_difference
from evaluation.stats.criteria import criterion_difference
from evaluation.stats.estimate import Interval
from evaluation.stats.means import Mean
from evaluation.stats.primary import win_score
from evaluation.stats.proportions import proportion_difference

REVIEWERS = (2, 3, 5, 8, 20, 40)
# The scenarios that are measured with every number of reviewers; the others with their own.
VARIED = ("expert", "high", "skewed")
WIN_SCORES = (0.5, 0.8, 0.95)


@dataclass(frozen=True)
class Cell:
    """One scenario with one true win score."""

    scenario: Scenario
    win_score: float


@dataclass(frozen=True)
class Coverage:
    """Percentages of the replicates: covered, interval above the truth, interval below it; mean width of the interval.

    `error` is the Monte Carlo standard error of `covered`.
    """

    covered: float
    error: float
    above: float
    below: float
    width: float


def cells() -> Iterator[Cell]:
    for scenario in SCENARIOS:
        if scenario.name == "few reviewers":
            continue  # "high" with 8 reviewers
        for reviewers in REVIEWERS if scenario.name in VARIED else (scenario.reviewers,):
            for value in WIN_SCORES:
                yield Cell(replace(scenario, reviewers=reviewers), value)


def measure(cell: Cell, replicates: int, seed: int) -> dict[str, Coverage]:
    """Coverage of each interval. It does not depend on the other cells."""
    number = [one.name for one in SCENARIOS].index(cell.scenario.name)
    rng = np.random.default_rng([seed, number, cell.scenario.reviewers, round(1000 * cell.win_score)])
    effect = effect_for(cell.win_score, cell.scenario.tie_within)
    truths = {
        **dict.fromkeys(("win score", "win score, symmetric", "win score, Wilson"), cell.win_score),
        "criterion": effect,
        "yes/no outcome": true_share_difference(effect),
    }
    found: dict[str, list[Interval]] = {name: [] for name in truths}
    for _ in range(replicates):
        sample = draw(cell.scenario, effect, rng)
        score = win_score(sample.ratings).mean
        value = score.value
        assert value is not None
        shown = {
            "win score": score.interval(),
            # Without variation there is no symmetric interval; a point is what it would have shrunk to.
            "win score, symmetric": score.headline.interval() or Interval(value, value),
            "win score, Wilson": wilson(score),
            "criterion": criterion_difference(sample.ratings, "empathy").difference.interval(),
            "yes/no outcome": proportion_difference(sample.ratings, "resolved").difference.interval(),
        }
        for name, interval in shown.items():
            assert interval is not None
            found[name].append(interval)
    return {name: _coverage(intervals, truths[name]) for name, intervals in found.items()}


def wilson(mean: Mean) -> Interval:
    """Wilson's score interval on the effective number p(1−p)/se², with the report's degrees of freedom.

    Source: Korn & Graubard (1998), as in `evaluation.stats.means`. Without variation, the effective number is that of
    the clustering which planning assumes.
    """
    p, se, added = mean.value, mean.headline.se, mean.added
    assert p is not None and added is not None
    if se and 0 < p < 1:
        number, t = p * (1 - p) / se**2, mean.headline.half_width(0.05) / se
    else:
        number, t = added.n / added.number, added.half_width(0.05) / added.se
    centre = (p + t * t / (2 * number)) / (1 + t * t / number)
    half = t / (1 + t * t / number) * math.sqrt(p * (1 - p) / number + (t / (2 * number)) ** 2)
    return Interval(centre - half, centre + half)


def _coverage(intervals: list[Interval], truth: float) -> Coverage:
    above = float(np.mean([one.low > truth for one in intervals]))
    below = float(np.mean([one.high < truth for one in intervals]))
    covered = 1 - above - below
    error = math.sqrt(max(covered * (1 - covered), 0.0) / len(intervals))
    width = float(np.mean([one.high - one.low for one in intervals]))
    return Coverage(100 * covered, 100 * error, 100 * above, 100 * below, width)
