"""A grid of campaigns of all shapes under all kinds of plans, with their reports."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from evaluation.stats.plan import Look, Plan
from evaluation.stats.ratings import LOSS, TIE, WIN, Ratings, slicing
from evaluation.stats.report import Report, analyse
from tests.evaluation.stats.crossed import make_ratings


@dataclass(frozen=True)
class Case:
    ratings: Ratings
    plan: Plan
    look: Look | None
    report: Report


def _shapes() -> Iterator[tuple[str, Ratings]]:
    for (prompts, overlap, reviewers), shift in product(
        [(2, 2, 2), (30, 3, 3), (40, 3, 12), (300, 2, 40)], [-0.9, 0.0, 0.1, 0.9]
    ):
        yield (
            f"{prompts}x{overlap}x{reviewers} {shift}",
            make_ratings(
                prompts=prompts, overlap=overlap, reviewers=reviewers, shift=shift, criteria=("tone",)
            ),
        )
    base = make_ratings(criteria=("tone",))
    n = len(base)
    for name, outcome in (("wins", WIN), ("losses", LOSS), ("ties", TIE)):
        yield f"all {name}", replace(base, outcome=np.full(n, outcome))
    yield "one rating", base.subset(np.arange(n) == 0)
    yield "one prompt", base.subset(base.prompt == 0)
    yield "one reviewer", base.subset(base.reviewer == 0)
    yield "no rating", base.subset(np.zeros(n, dtype=bool))
    heavy = np.concatenate([np.zeros(40, dtype=np.int64), np.repeat(np.arange(1, 30), 2)])
    yield (
        "one prompt with many ratings",
        Ratings(heavy, np.arange(98) % 49, np.where(heavy == 0, LOSS, WIN), np.arange(98) % 2 == 0),
    )
    yield "left only", replace(base, candidate_left=np.ones(n, dtype=bool))
    left = base.candidate_left
    yield "side preferred", replace(base, outcome=np.where(np.arange(n) % 4, np.where(left, WIN, LOSS), TIE))
    yield "unknown sides", replace(base, sides_known=False)
    yield "simulated", replace(base, simulated=True)
    yield "topics", replace(base, slices={"topic": slicing([f"t{p % 4}" for p in base.prompt])})
    yield "skewed", make_ratings(prompts=100, reviewers=20, skewed=True)


PLANS: dict[str, tuple[Plan, int | None]] = {
    "plain": (Plan(), None),
    "wide margin": (Plan(margin=0.2), None),
    "file": (Plan(frozen=False), None),
    "interim": (Plan(looks=(0.5, 1.0), planned_ratings=10_000), 1),
    "final": (Plan(looks=(0.5, 1.0)), 2),
    "closed early": (Plan(planned_ratings=10_000), None),
    "watched": (Plan(watch_se=0.05), None),
    "stages": (Plan(extensions=1), None),
    "clusters": (Plan(cluster="topic"), None),
    "old": (Plan(analysis_version=1), None),
}


# The other shapes have the first two plans only.
EVERY_PLAN = ("40x3x12 0.9", "40x3x12 0.1", "300x2x40 0.0", "all ties", "no rating", "topics")


def all_cases() -> Iterator[tuple[str, Case]]:
    for (shape, ratings), (name, (plan, number)) in product(_shapes(), PLANS.items()):
        if shape not in EVERY_PLAN and name not in ("plain", "wide margin"):
            continue
        look = plan.look(number) if number else None
        yield f"{shape}, {name}", Case(ratings, plan, look, analyse(ratings, plan, look))
