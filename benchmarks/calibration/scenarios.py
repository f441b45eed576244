"""Crossed reviews with known true values: twelve scenarios and data sets drawn from them.

Mostly 100 prompts with 3 ratings each. A rating is a win, tie or loss derived from a latent normal preference, with
criterion scores and a yes/no outcome, so that the tests see the same data as the report.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from evaluation.stats.arrays import BoolArray, FloatArray, IntArray
from evaluation.stats.ratings import LOSS, TIE, WIN, Ratings, Slicing

PROMPTS, OVERLAP = 100, 3
# A latent preference this close to zero is a tie: about 30 % if the sides are equal.
TIE_WITHIN = 0.4
# After a loss in the scenario with drop-out.
DROP_OUT = 0.1
# The equivalence margin that samples of this size can support, in win score.
MARGIN = 0.1
CRITERIA = ("empathy",)
SLICES = 4


@dataclass(frozen=True)
class Scenario:
    """Shares of the latent variance between prompts, reviewers and topics; `effect` in latent SDs for the power runs.

    `skewed`: the k-th reviewer is 1/k as busy as the first. `dominant`: one reviewer rates nearly every prompt.
    `topics`: prompts have that many topics, which the plan declares as clusters. `drop_out`: after each loss, a
    reviewer leaves with probability DROP_OUT.
    """

    name: str
    prompt_share: float
    reviewer_share: float
    reviewers: int = 20
    skewed: bool = False
    effect: float = 0.2
    prompts: int = PROMPTS
    tie_within: float = TIE_WITHIN
    dominant: bool = False
    topics: int = 0
    topic_share: float = 0.0
    drop_out: bool = False

    @property
    def overlap(self) -> int:
        return min(OVERLAP, self.reviewers)


SCENARIOS = (
    Scenario("iid", 0.0, 0.0),
    Scenario("prompt", 0.36, 0.0),
    Scenario("expert", 0.36, 0.04),
    Scenario("low", 0.54, 0.05, effect=0.25),
    Scenario("high", 0.30, 0.185, effect=0.36),
    Scenario("skewed", 0.30, 0.185, skewed=True, effect=0.36),
    Scenario("few reviewers", 0.30, 0.185, reviewers=8, effect=0.5),
    Scenario("ties", 0.36, 0.04, tie_within=1.2, effect=0.2),
    Scenario("few prompts", 0.36, 0.04, prompts=20, effect=0.5),
    Scenario("dominant", 0.36, 0.04, dominant=True, effect=0.2),
    Scenario("topics", 0.26, 0.04, topics=10, topic_share=0.1, effect=0.4),
    Scenario("drop-out", 0.30, 0.185, drop_out=True, effect=0.36),
)


@dataclass(frozen=True, eq=False)
class Draw:
    """One simulated review in the order in which ratings arrived, with its latent effect and its true win score."""

    ratings: Ratings
    effect: float
    win_score: float


def draw(scenario: Scenario, effect: float, rng: np.random.Generator) -> Draw:
    """One review in which the candidate is better by `effect` latent standard deviations."""
    prompt, reviewer = _design(scenario, rng)
    crossed = _latent(scenario, prompt, reviewer, rng)
    latent, tie = effect + crossed + _noise(scenario, rng, len(prompt)), scenario.tie_within
    outcome = np.where(latent > tie, WIN, np.where(latent < -tie, LOSS, TIE))
    order = rng.permutation(len(prompt))
    if scenario.drop_out:
        order = order[_given(reviewer[order], outcome[order], rng)]
    ratings = Ratings(
        prompt,
        reviewer,
        outcome,
        rng.random(len(prompt)) < 0.5,
        {name: _scores(scenario, effect, crossed, rng) for name in CRITERIA},
        yes_no={"resolved": _answers(scenario, effect, crossed, rng)},
        slices={"topic": Slicing(prompt % SLICES, tuple(f"topic {k}" for k in range(SLICES)))},
        from_zero=frozenset(CRITERIA),
        group=prompt % scenario.topics if scenario.topics else None,
    )
    return Draw(in_order(ratings, order), effect, true_win_score(effect, tie))


def in_order(ratings: Ratings, order: IntArray) -> Ratings:
    """The ratings whose numbers are in `order` (k,), in that order."""
    first = ratings.slices["topic"]
    return Ratings(
        ratings.prompt[order],
        ratings.reviewer[order],
        ratings.outcome[order],
        ratings.candidate_left[order],
        {name: (b[order], c[order]) for name, (b, c) in ratings.criteria.items()},
        yes_no={name: (b[order], c[order]) for name, (b, c) in ratings.yes_no.items()},
        slices={"topic": Slicing(first.code[order], first.labels)},
        from_zero=ratings.from_zero,
        group=None if ratings.group is None else ratings.group[order],
    )


def true_win_score(effect: float, tie_within: float = TIE_WITHIN) -> float:
    """The win score for a latent mean of `effect`."""
    return 0.5 + float(stats.norm.cdf(effect - tie_within) - stats.norm.cdf(-effect - tie_within)) / 2


def effect_for(win_score: float, tie_within: float = TIE_WITHIN) -> float:
    """The latent effect with this true win score."""
    return float(optimize.brentq(lambda e: true_win_score(e, tie_within) - win_score, -8.0, 8.0))


def true_share_difference(effect: float) -> float:
    """The difference between the shares of "yes" for a latent mean of `effect`."""
    return float(stats.norm.cdf(effect / math.sqrt(1 + 0.25 + 1))) - 0.5


def _design(scenario: Scenario, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    chance = 1 / np.arange(1, scenario.reviewers + 1) if scenario.skewed else np.ones(scenario.reviewers)
    if scenario.dominant:
        chance[0] = 50.0
    keys = rng.gumbel(size=(scenario.prompts, scenario.reviewers)) + np.log(chance)
    reviewer = np.argsort(-keys, axis=1)[:, : scenario.overlap].ravel().astype(np.int64)
    return np.repeat(np.arange(scenario.prompts), scenario.overlap), reviewer


def _given(reviewer: IntArray, outcome: IntArray, rng: np.random.Generator) -> BoolArray:
    """Which ratings (n,), in the order of arrival, come before their reviewer leaves."""
    leaves = (outcome == LOSS) & (rng.random(len(outcome)) < DROP_OUT)
    given = np.ones(len(outcome), dtype=np.bool_)
    for one in np.unique(reviewer):
        rows = reviewer == one
        given[rows] = np.cumsum(leaves[rows]) - leaves[rows] == 0
    return given


def _latent(scenario: Scenario, prompt: IntArray, reviewer: IntArray, rng: np.random.Generator) -> FloatArray:
    crossed = (
        math.sqrt(scenario.prompt_share) * rng.standard_normal(scenario.prompts)[prompt]
        + math.sqrt(scenario.reviewer_share) * rng.standard_normal(scenario.reviewers)[reviewer]
    )
    if scenario.topics:
        crossed += (
            math.sqrt(scenario.topic_share) * rng.standard_normal(scenario.topics)[prompt % scenario.topics]
        )
    return np.asarray(crossed)


def _noise(scenario: Scenario, rng: np.random.Generator, n: int) -> FloatArray:
    rest = 1 - scenario.prompt_share - scenario.reviewer_share - scenario.topic_share
    return np.asarray(math.sqrt(rest) * rng.standard_normal(n))


def _scores(
    scenario: Scenario, effect: float, crossed: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Integer scores of both sides. Their difference has mean `effect` and shares the clusters of the preference."""
    n = len(crossed)
    base = 6 + rng.standard_normal(n)
    return np.round(base), np.round(base + effect + crossed + _noise(scenario, rng, n))


def _answers(
    scenario: Scenario, effect: float, crossed: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Yes or no for both sides, from latent scores. The candidate's contains the clusters of the preference."""
    n = len(crossed)
    common = 0.5 * rng.standard_normal(n)
    before = common + rng.standard_normal(n)
    after = common + effect + crossed + _noise(scenario, rng, n) + rng.standard_normal(n)
    return (before > 0).astype(np.float64), (after > 0).astype(np.float64)
