"""Crossed samples of prompts and reviewers for the tests of the statistics."""

from collections.abc import Callable
from typing import Any

import numpy as np

from evaluation.stats.arrays import FloatArray, IntArray
from evaluation.stats.clusters import Clusters
from evaluation.stats.ratings import LOSS, TIE, WIN, Ratings
from evaluation.stats.weights import prompt_weights


def design(
    rng: np.random.Generator, prompts: int, overlap: int, reviewers: int, *, skewed: bool = False
) -> tuple[IntArray, IntArray]:
    """Each prompt gets `overlap` distinct reviewers, drawn evenly or in proportion to 1/rank."""
    chance = 1 / np.arange(1, reviewers + 1) if skewed else np.ones(reviewers)
    keys = rng.gumbel(size=(prompts, reviewers)) + np.log(chance)
    chosen = np.argsort(-keys, axis=1)[:, :overlap]
    return np.repeat(np.arange(prompts), overlap), chosen.ravel().astype(np.int64)


def crossed_values(
    rng: np.random.Generator, prompt: IntArray, reviewer: IntArray, prompt_share: float, reviewer_share: float
) -> FloatArray:
    """Values of variance 1 with the given shares between prompts and between reviewers."""
    values: FloatArray = (
        np.sqrt(prompt_share) * rng.standard_normal(prompt.max() + 1)[prompt]
        + np.sqrt(reviewer_share) * rng.standard_normal(reviewer.max() + 1)[reviewer]
        + np.sqrt(1 - prompt_share - reviewer_share) * rng.standard_normal(len(prompt))
    )
    return values


def make_ratings(
    *,
    prompts: int = 40,
    overlap: int = 3,
    reviewers: int = 12,
    shift: float = 0.0,
    shares: tuple[float, float] = (0.3, 0.1),
    seed: int = 0,
    skewed: bool = False,
    criteria: tuple[str, ...] = (),
) -> Ratings:
    """Ratings whose latent preference has mean `shift` standard deviations."""
    rng = np.random.default_rng(seed)
    prompt, reviewer = design(rng, prompts, overlap, reviewers, skewed=skewed)
    latent = crossed_values(rng, prompt, reviewer, *shares) + shift
    outcome = np.where(latent > 0.4, WIN, np.where(latent < -0.4, LOSS, TIE))
    scores = {
        name: (
            np.clip(np.round(6 + rng.standard_normal(len(prompt))), 1, 10),
            np.clip(np.round(6 + latent + rng.standard_normal(len(prompt))), 1, 10),
        )
        for name in criteria
    }
    return Ratings(prompt, reviewer, outcome, rng.random(len(prompt)) < 0.5, scores)


def from_outcomes(rows: list[tuple[int, int, int]]) -> Ratings:
    """Ratings from (prompt, reviewer, outcome code) rows, candidate on the left in every other one."""
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return Ratings(table[:, 0], table[:, 1], table[:, 2], np.arange(len(rows)) % 2 == 0)


def of_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of values and clusters as one of values, prompts, reviewers and weights, equal per prompt unless
    given; with an untyped result as `unchecked` makes it."""

    def called(*arguments: Any, weights: FloatArray | None = None, **options: Any) -> Any:
        *values, prompt, reviewer = arguments
        if weights is None:
            weights = prompt_weights(prompt)
        return function(*values, Clusters(prompt, reviewer, weights), **options)

    return called


def unchecked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with an untyped result: a test that reads a part that is None fails by itself."""
    return function
