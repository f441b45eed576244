"""Chance of a false verdict after one and two extensions of a campaign.

In every scenario of `benchmarks.calibration.scenarios` without a difference, three stages are drawn. Later stages have
50 prompts where the result so far is close to the bound and 150 elsewhere, because their size may depend on earlier
results. Printed are the shares of simulated campaigns with a claim ("better" or "worse") after any stage:

- planned: the combination test of `evaluation.stats.stages`, with new prompts and new reviewers in every stage;
- the same test where stages share prompts, reviewers or both, which the product does not allow;
- topped up: all ratings so far are tested again at 5 %, the negative control;
- confirmed: campaigns of their own at 5 % each, where only the last counts, and where any counts.

    python -m benchmarks.extensions --replicates 2000
"""

import argparse
import json
import math
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.calibration.scenarios import OVERLAP, PROMPTS, SCENARIOS, TIE_WITHIN, Scenario
from evaluation.stats.arrays import FloatArray, IntArray
from evaluation.stats.primary import WinScore, win_score
from evaluation.stats.ratings import LOSS, TIE, WIN, Ratings
from evaluation.stats.stages import Combined, Stage, stage_bound, stage_of

ALPHA = 0.05
EXTENSIONS = (1, 2)
SIZES = (50, 150)
SHARED = {
    "nothing": (),
    "prompts": ("prompts",),
    "reviewers": ("reviewers",),
    "both": ("prompts", "reviewers"),
}
CHUNK = 100


@dataclass(frozen=True, eq=False)
class People:
    """Latent effects of prompts and of reviewers, in the order in which a stage uses them."""

    prompts: FloatArray
    reviewers: FloatArray


def _people(scenario: Scenario, rng: np.random.Generator) -> People:
    return People(
        math.sqrt(scenario.prompt_share) * rng.standard_normal(max(PROMPTS, *SIZES)),
        math.sqrt(scenario.reviewer_share) * rng.standard_normal(scenario.reviewers),
    )


def _stage(scenario: Scenario, people: People, prompts: int, rng: np.random.Generator) -> Ratings:
    """One stage without a difference."""
    chance = 1 / np.arange(1, scenario.reviewers + 1) if scenario.skewed else np.ones(scenario.reviewers)
    keys = rng.gumbel(size=(prompts, scenario.reviewers)) + np.log(chance)
    reviewer = np.argsort(-keys, axis=1)[:, :OVERLAP].ravel().astype(np.int64)
    prompt = np.repeat(np.arange(prompts), OVERLAP)
    rest = math.sqrt(1 - scenario.prompt_share - scenario.reviewer_share)
    latent = people.prompts[prompt] + people.reviewers[reviewer] + rest * rng.standard_normal(len(prompt))
    outcome = np.where(latent > TIE_WITHIN, WIN, np.where(latent < -TIE_WITHIN, LOSS, TIE))
    return Ratings(prompt, reviewer, outcome, rng.random(len(prompt)) < 0.5)


def _pooled(parts: list[Ratings]) -> Ratings:
    """The ratings of several stages whose prompts and reviewers differ."""

    def codes(each: list[IntArray]) -> IntArray:
        starts = np.cumsum([0, *(int(one.max()) + 1 for one in each[:-1])])
        return np.concatenate([one + start for one, start in zip(each, starts, strict=True)])

    return Ratings(
        codes([one.prompt for one in parts]),
        codes([one.reviewer for one in parts]),
        np.concatenate([one.outcome for one in parts]),
        np.concatenate([one.candidate_left for one in parts]),
    )


def _z(score: WinScore, extensions: int) -> Stage:
    found = stage_of(score.mean, stage_bound(extensions, ALPHA), campaign="", sizes=(0, 0, 0))
    assert found is not None
    return found


def _claims(scores: list[WinScore], extensions: int) -> bool:
    stages, bound = (
        [_z(score, extensions) for score in scores[: extensions + 1]],
        stage_bound(extensions, ALPHA),
    )
    return any(abs(Combined(tuple(stages[:k]), bound).z) >= bound for k in range(1, len(stages) + 1))


def _rejects(score: WinScore) -> bool:
    p = score.p_value()
    return p is not None and p <= ALPHA


def replicate(scenario: Scenario, rng: np.random.Generator) -> Iterator[str]:
    """The procedures that make a false claim in one simulated campaign and its extensions."""
    people = _people(scenario, rng)
    first = _stage(scenario, people, PROMPTS, rng)
    begun = win_score(first)
    for shared, kept in SHARED.items():
        parts, scores = [first], [begun]
        for _ in range(max(EXTENSIONS)):
            new = _people(scenario, rng)
            used = People(
                people.prompts if "prompts" in kept else new.prompts,
                people.reviewers if "reviewers" in kept else new.reviewers,
            )
            so_far = Combined(tuple(_z(score, 1) for score in scores), 1.0).z
            parts.append(_stage(scenario, used, SIZES[abs(so_far) < 1], rng))
            scores.append(win_score(parts[-1]))
        for extensions in EXTENSIONS:
            if _claims(scores, extensions):
                yield f"planned, shared {shared}, {extensions}"
        if kept:
            continue
        topped = [begun, *(win_score(_pooled(parts[: k + 1])) for k in EXTENSIONS)]
        for extensions in EXTENSIONS:
            if any(_rejects(score) for score in topped[: extensions + 1]):
                yield f"topped up, {extensions}"
            if any(_rejects(score) for score in scores[: extensions + 1]):
                yield f"confirmed, any counts, {extensions}"
            if _rejects(scores[extensions]):
                yield f"confirmed, last counts, {extensions}"


def run(scenario: Scenario, replicates: int, seed: tuple[int, ...]) -> Counter[str]:
    rng = np.random.default_rng(seed)
    return Counter(name for _ in range(replicates) for name in replicate(scenario, rng))


def measure(scenario: Scenario, replicates: int, seed: int, pool: ProcessPoolExecutor) -> dict[str, float]:
    """Percentage of false claims by procedure. It does not depend on the number of processes."""
    number = [one.name for one in SCENARIOS].index(scenario.name)
    sizes = [min(CHUNK, replicates - done) for done in range(0, replicates, CHUNK)]
    seeds = [(seed, number, chunk) for chunk in range(len(sizes))]
    total = sum(pool.map(run, [scenario] * len(sizes), sizes, seeds), Counter[str]())
    return {name: 100 * total[name] / replicates for name in procedures()}


def procedures() -> list[str]:
    planned = [f"planned, shared {shared}, {k}" for shared in SHARED for k in EXTENSIONS]
    others = ("topped up", "confirmed, last counts", "confirmed, any counts")
    return planned + [f"{name}, {k}" for name in others for k in EXTENSIONS]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path("var/bench/extensions.json"))
    options = parser.parse_args()
    started, results = time.perf_counter(), {}
    error = 100 * math.sqrt(ALPHA * (1 - ALPHA) / options.replicates)
    print(f"false claims in % of {options.replicates} campaigns, Monte Carlo error ± {error:.1f}")
    with ProcessPoolExecutor(options.processes) as pool:
        for scenario in SCENARIOS:
            results[scenario.name] = measure(scenario, options.replicates, options.seed, pool)
            print(f"\n{scenario.name}")
            for name, share in results[scenario.name].items():
                print(f"  {name:40} {share:5.1f}", flush=True)
    record = {
        "command": f"python -m benchmarks.extensions --replicates {options.replicates} --seed {options.seed}",
        "seconds": round(time.perf_counter() - started, 1),
        "results": results,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
