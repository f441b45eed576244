"""How often does each test cry "different" when nothing is, and how often does it find a real difference?

Seven scenarios of crossed prompts and reviewers: (share of variance between prompts, between reviewers), reviewers,
whether workloads are skewed (in proportion to 1/rank). 100 prompts with 3 ratings each. A rating is a win, tie or
loss made from a latent normal preference, so the tests see what the report sees.

    python -m benchmarks.stats_calibration --replicates 2000
"""

import argparse
import json
import math
import os
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from evaluation.stats.clustered import clustered_mean
from evaluation.stats.effects import prompt_means
from evaluation.stats.headline import headline_mean
from evaluation.stats.panel import signed_rank
from evaluation.stats.ratings import FloatArray, IntArray
from evaluation.stats.weights import choose_weights, prompt_weights

PROMPTS, OVERLAP = 100, 3
# A latent preference within this of zero is a tie: about 30 % of an even contest.
TIE_WITHIN = 0.4
ALPHA = 0.05


# These test a median or a share, so that the mean has no interval of theirs.
WITHOUT_INTERVAL = ("binomial, all ratings", "Wilcoxon, prompt means")


@dataclass(frozen=True)
class Scenario:
    """Shares of the latent variance between prompts and reviewers; `effect` in latent SDs for the power runs."""

    name: str
    prompt_share: float
    reviewer_share: float
    reviewers: int = 20
    skewed: bool = False
    effect: float = 0.2


SCENARIOS = (
    Scenario("iid", 0.0, 0.0),
    Scenario("prompt", 0.36, 0.0),
    Scenario("expert", 0.36, 0.04),
    Scenario("low", 0.54, 0.05, effect=0.25),
    Scenario("high", 0.30, 0.185, effect=0.36),
    Scenario("skewed", 0.30, 0.185, skewed=True, effect=0.36),
    Scenario("few reviewers", 0.30, 0.185, reviewers=8, effect=0.5),
)


@dataclass(frozen=True)
class Figures:
    """Percentages over the replicates, and the Monte Carlo standard error of the false positives."""

    false_positives: float
    standard_error: float
    coverage_with_effect: float | None
    power: float


def simulate(
    scenario: Scenario, effect: float, rng: np.random.Generator
) -> tuple[FloatArray, IntArray, IntArray]:
    """Win scores minus ½ (300,), with prompt and reviewer codes."""
    chance = 1 / np.arange(1, scenario.reviewers + 1) if scenario.skewed else np.ones(scenario.reviewers)
    keys = rng.gumbel(size=(PROMPTS, scenario.reviewers)) + np.log(chance)
    reviewer = np.argsort(-keys, axis=1)[:, :OVERLAP].ravel().astype(np.int64)
    prompt = np.repeat(np.arange(PROMPTS), OVERLAP)
    rest = 1 - scenario.prompt_share - scenario.reviewer_share
    latent = (
        effect
        + math.sqrt(scenario.prompt_share) * rng.standard_normal(PROMPTS)[prompt]
        + math.sqrt(scenario.reviewer_share) * rng.standard_normal(scenario.reviewers)[reviewer]
        + math.sqrt(rest) * rng.standard_normal(len(prompt))
    )
    return np.where(latent > TIE_WITHIN, 0.5, np.where(latent < -TIE_WITHIN, -0.5, 0.0)), prompt, reviewer


def true_mean(effect: float) -> float:
    """Win score minus ½ that a latent mean of `effect` gives."""
    return float(stats.norm.cdf(effect - TIE_WITHIN) - stats.norm.cdf(-effect - TIE_WITHIN)) / 2


def p_values(
    values: FloatArray, prompt: IntArray, reviewer: IntArray, *nulls: float
) -> list[dict[str, float]]:
    """Two-sided p-values of H0: mean = null by every test compared, for each of `nulls`."""
    plain = clustered_mean(values, prompt, reviewer, weights=prompt_weights(prompt), method="plain")
    headline = headline_mean(values, prompt, reviewer, choose_weights(prompt, reviewer).values)
    mixed = headline.mixed
    means = prompt_means(values, prompt)

    def at(null: float) -> dict[str, float]:
        wins, losses = int((values > null).sum()), int((values < null).sum())
        found = {
            "headline": headline.p_value(null),
            "clustered, jackknife": headline.clustered.p_value(null),
            "mixed model, same mean": mixed.weighted.p_value(null) if mixed else None,
            "mixed model (REML)": mixed.mean.p_value(null) if mixed else None,
            "clustered, plain": plain.p_value(null),
            "binomial, all ratings": float(stats.binomtest(wins, wins + losses).pvalue),
            "paired t, all ratings": float(stats.ttest_1samp(values, null).pvalue),
            "Wilcoxon, prompt means": signed_rank(np.round(means - null, 9)).p_value,
        }
        return {name: 1.0 if p is None else p for name, p in found.items()}

    return [at(null) for null in nulls]


def calibrate(scenario: Scenario, replicates: int, seed: int) -> dict[str, Figures]:
    """Figures of every test in one scenario."""
    rng = np.random.default_rng(seed)
    truth = true_mean(scenario.effect)
    false, covered, powerful = [], [], []
    for _ in range(replicates):
        false += p_values(*simulate(scenario, 0.0, rng), 0.0)
        without, right = p_values(*simulate(scenario, scenario.effect, rng), 0.0, truth)
        powerful.append(without)
        covered.append(right)
    return {name: _figures(name, false, covered, powerful) for name in false[0]}


def _figures(
    name: str,
    false: list[dict[str, float]],
    covered: list[dict[str, float]],
    powerful: list[dict[str, float]],
) -> Figures:
    rate, misses, power = (
        float(np.mean([row[name] <= ALPHA for row in rows])) for rows in (false, covered, powerful)
    )
    error = math.sqrt(rate * (1 - rate) / len(false))
    coverage = None if name in WITHOUT_INTERVAL else 100 * (1 - misses)
    return Figures(100 * rate, 100 * error, coverage, 100 * power)


def show(scenario: Scenario, by_test: dict[str, Figures]) -> None:
    print(f"\n{scenario.name}: false positives, coverage with an effect, power (%)")
    for name, found in by_test.items():
        coverage = "    –" if found.coverage_with_effect is None else f"{found.coverage_with_effect:5.1f}"
        print(
            f"  {name:24} {found.false_positives:5.1f} ± {found.standard_error:.1f}  {coverage}  {found.power:5.1f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("var/bench/stats_calibration.json"))
    options = parser.parse_args()
    started = time.perf_counter()
    results: dict[str, dict[str, Figures]] = {}
    for scenario in SCENARIOS:
        results[scenario.name] = calibrate(scenario, options.replicates, options.seed)
        show(scenario, results[scenario.name])
    worst = max(by_test["headline"].false_positives for by_test in results.values())
    relative = {
        name: 100 * by_test["headline"].power / max(by_test["mixed model (REML)"].power, 1e-9)
        for name, by_test in results.items()
    }
    print(f"\nheadline: false positives at most {worst:.1f} %; power as % of REML's:")
    print(", ".join(f"{name} {share:.1f}" for name, share in relative.items()))
    record = {
        "replicates": options.replicates,
        "seed": options.seed,
        "seconds": round(time.perf_counter() - started, 1),
        "machine": {"python": platform.python_version(), "cores": os.cpu_count()},
        "scenarios": [asdict(scenario) for scenario in SCENARIOS],
        "results": {s: {t: asdict(f) for t, f in by_test.items()} for s, by_test in results.items()},
        "headline_worst_false_positives": worst,
        "headline_power_relative_to_reml": relative,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
