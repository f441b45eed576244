"""Ranking more than two models from pairwise preferences with ties.

Davidson (1970), On extending the Bradley–Terry model to accommodate ties in paired comparison
experiments, JASA 65: P(i wins) ∝ πi, P(j wins) ∝ πj, P(tie) ∝ ν√(πi πj). Intervals by the pigeonhole
bootstrap (Owen 2007).
"""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, sparse
from scipy.sparse import csgraph

from evaluation.stats.estimate import Interval
from evaluation.stats.ratings import FloatArray, IntArray, dense_codes


@dataclass(frozen=True)
class Comparisons:
    """n ratings of pairs of models: `first` and `second` (n,) index models 0 … `models` − 1.

    `score` (n,) is 1 where the first was preferred, ½ for a tie or both bad, 0 where the second was. Raises
    ValueError when the arrays do not fit each other.
    """

    models: int
    first: IntArray
    second: IntArray
    score: FloatArray
    prompt: IntArray
    reviewer: IntArray

    def __post_init__(self) -> None:
        columns = (self.first, self.second, self.score, self.prompt, self.reviewer)
        if len({column.shape for column in columns}) != 1:
            raise ValueError("every column must have the same length")
        if not np.isin(self.score, (0.0, 0.5, 1.0)).all():
            raise ValueError("scores must be 1, ½ or 0")
        if len(self.first) and not (
            min(self.first.min(), self.second.min()) >= 0
            and max(self.first.max(), self.second.max()) < self.models
            and (self.first != self.second).all()
        ):
            raise ValueError("a comparison needs two different models below `models`")


@dataclass(frozen=True)
class Strength:
    """Log-strength of one model; strengths sum to zero. `interval` is None where it cannot be resampled."""

    model: int
    log_strength: float
    interval: Interval | None


@dataclass(frozen=True)
class Ranking:
    """Models from strongest to weakest. `tie_parameter` is ν: 0 without ties."""

    strengths: tuple[Strength, ...]
    tie_parameter: float


def davidson(data: Comparisons, *, seed: int, replicates: int = 200) -> Ranking | None:
    """Fit by maximum likelihood, with 95 % percentile intervals.

    None where strengths are not finite: models not compared with each other, directly or through others, or a
    group of models that never lost to the rest.
    """
    cells = _cells(data, np.ones(len(data.first)))
    point = _fit(cells)
    if point is None:
        return None
    draws = _resampled(data, seed, replicates)
    intervals: list[Interval | None] = [None] * data.models
    if len(draws) >= max(replicates / 2, 1):
        low, high = np.quantile(draws, [0.025, 0.975], axis=0)
        intervals = [Interval(float(a), float(b)) for a, b in zip(low, high, strict=True)]
    strengths, tie = point
    order = np.argsort(-strengths, kind="stable")
    found = (Strength(int(model), float(strengths[model]), intervals[model]) for model in order)
    return Ranking(tuple(found), tie)


def _resampled(data: Comparisons, seed: int, replicates: int) -> list[FloatArray]:
    if not len(data.first):
        return []
    prompt, reviewer = dense_codes(data.prompt), dense_codes(data.reviewer)
    if min(prompt.max(), reviewer.max()) < 1:
        return []
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(replicates):
        times = np.ones(len(prompt))
        for codes in (prompt, reviewer):
            levels = int(codes.max()) + 1
            times *= np.bincount(rng.integers(levels, size=levels), minlength=levels)[codes]
        fitted = _fit(_cells(data, times))
        if fitted is not None:
            draws.append(fitted[0])
    return draws


def _cells(data: Comparisons, times: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Wins of row over column, and ties of row with column (symmetric), both (models, models)."""
    m = data.models
    wins, ties = np.zeros((m, m)), np.zeros((m, m))
    for winner, loser, score in ((data.first, data.second, 1.0), (data.second, data.first, 0.0)):
        rows = data.score == score
        np.add.at(wins, (winner[rows], loser[rows]), times[rows])
        rows = data.score == 0.5
        np.add.at(ties, (winner[rows], loser[rows]), times[rows])
    return wins, ties


def _fit(cells: tuple[FloatArray, FloatArray]) -> tuple[FloatArray, float] | None:
    wins, ties = cells
    models = len(wins)
    parts, _ = csgraph.connected_components(sparse.csr_array(wins + ties > 0), connection="strong")
    if parts != 1:
        return None
    total = wins + wins.T + ties
    tied = float(ties.sum()) / 2
    upper = np.triu(total, 1)

    def deviance(parameters: FloatArray) -> tuple[float, FloatArray]:
        strength, log_tie = parameters[:models], parameters[models]
        difference = strength[:, None] - strength[None, :]
        # Everything relative to √(πi πj): weights exp(±d/2) and ν.
        up, down, tie = np.exp(difference / 2), np.exp(-difference / 2), np.exp(log_tie) * bool(tied)
        norm = up + down + tie
        value = (upper * np.log(norm)).sum() - (wins * difference / 2).sum() - tied * log_tie
        slope = total * (up - down) / norm / 2 - (wins - wins.T) / 2
        by_tie = (upper * tie / norm).sum() - tied
        return float(value), np.append(slope.sum(1), by_tie)

    start = np.zeros(models + 1)
    found = optimize.minimize(
        deviance, start, jac=True, method="BFGS", options={"gtol": 1e-6 * max(total.sum(), 1)}
    )
    strengths = found.x[:models] - found.x[:models].mean()
    return strengths, float(np.exp(found.x[models])) if tied else 0.0
