"""Win score in parts of the prompts. Exploratory: adjusted by Benjamini–Hochberg, without a verdict."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evaluation.stats.arrays import BoolArray
from evaluation.stats.estimate import Interval
from evaluation.stats.means import Mean, mean_of
from evaluation.stats.multiplicity import benjamini_hochberg
from evaluation.stats.pooling import pooled
from evaluation.stats.ratings import Ratings, Slicing

# More slices would be unreadable. The largest are shown and the others are counted.
MOST_SLICES = 20
MIN_PROMPTS = 5


@dataclass(frozen=True)
class SliceResult:
    """Win score of the ratings whose `slicing` has the value `label`.

    `pooled` is the score with its interval after partial pooling with the other parts of the slicing. `p_adjusted` is
    the Benjamini–Hochberg p-value over all slices of all slicings that have a test.
    """

    slicing: str
    label: str
    score: Mean
    p_value: float | None
    p_adjusted: float | None
    pooled: tuple[float, Interval] | None = None


@dataclass(frozen=True)
class Slices:
    """`omitted` counts slices beyond the MOST_SLICES largest of a slicing, or with fewer than MIN_PROMPTS prompts."""

    each: tuple[SliceResult, ...]
    omitted: int


def slice_scores(ratings: Ratings) -> Slices:
    """Win score of every slice in `ratings.slices`, largest first."""
    found: list[tuple[str, str, Mean]] = []
    omitted = 0
    for name, parts in ratings.slices.items():
        shown, rest = _largest(parts, ratings)
        omitted += rest
        found += [(name, parts.labels[code], _score(ratings, parts.code == code)) for code in shown]
    raw = [score.p_value(0.5) for _, _, score in found]
    adjusted = iter(benjamini_hochberg(np.array([p for p in raw if p is not None], dtype=np.float64)))
    shrunken = {
        name: _pooled([score for other, _, score in found if other == name]) for name in ratings.slices
    }
    each = []
    for (name, label, score), p in zip(found, raw, strict=True):
        own = next(shrunken[name]) if score.se is not None else None
        each.append(SliceResult(name, label, score, p, None if p is None else float(next(adjusted)), own))
    return Slices(tuple(each), omitted)


def _pooled(scores: list[Mean]) -> Iterator[tuple[float, Interval] | None]:
    """Partially pooled score of each part with a standard error, in order."""
    known = [score for score in scores if score.value is not None and score.se is not None]
    found = pooled(np.array([score.value for score in known]), np.array([score.se for score in known]))
    return iter(found if found is not None else [None] * len(known))


def _largest(parts: Slicing, ratings: Ratings) -> tuple[list[int], int]:
    """Codes of the parts with enough prompts, most prompts first, and the number of other parts with ratings."""
    given = parts.code >= 0
    width = ratings.n_prompts + 1
    pairs = np.unique(parts.code[given] * width + ratings.prompt[given])
    prompts = np.bincount(pairs // width, minlength=len(parts.labels))
    order = [int(i) for i in np.argsort(-prompts, kind="stable") if prompts[i] >= MIN_PROMPTS]
    shown = order[:MOST_SLICES]
    return shown, int((prompts > 0).sum()) - len(shown)


def _score(ratings: Ratings, rows: BoolArray) -> Mean:
    return mean_of(ratings.win_score[rows], ratings.clusters_where(rows))
