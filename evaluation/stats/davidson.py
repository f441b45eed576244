"""Ranking of more than two models from pairwise preferences with ties.

Davidson (1970), On extending the Bradley–Terry model to accommodate ties in paired comparison experiments,
JASA 65: P(i wins) ∝ πi, P(j wins) ∝ πj, P(tie) ∝ ν√(πi πj). Intervals come from the pigeonhole bootstrap
(Owen 2007). Ranks come from the simultaneously significant differences (Klein, Wright & Wieczorek 2020, A
joint confidence region for an overall ranking of populations, JRSS C 69).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from evaluation.stats.arrays import BoolArray, FloatArray, IntArray, dense_codes
from evaluation.stats.estimate import Interval

_NEWTON_STEPS = 60
_LARGEST_STEP = 2.0


@dataclass(frozen=True)
class Comparisons:
    """n ratings of pairs of models. `first` and `second` (n,) index models 0 … `models` − 1.

    `score` (n,) is 1 if the first model was preferred, ½ for a tie or both bad, and 0 if the second was
    preferred. Raises ValueError if the arrays differ in length or hold invalid values.
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

    def among(self, members: Sequence[int]) -> "Comparisons":
        """The comparisons between `members`, renumbered 0, 1, … in their order."""
        number = np.full(self.models, -1)
        number[list(members)] = np.arange(len(members))
        rows = (number[self.first] >= 0) & (number[self.second] >= 0)
        return Comparisons(
            len(members),
            number[self.first[rows]],
            number[self.second[rows]],
            self.score[rows],
            self.prompt[rows],
            self.reviewer[rows],
        )

    def tallies(self) -> tuple[IntArray, IntArray, IntArray]:
        """Numbers of wins, ties and losses of each model, each (models,)."""
        first, second = (
            [np.bincount(side[self.score == score], minlength=self.models) for score in (1.0, 0.5, 0.0)]
            for side in (self.first, self.second)
        )
        return first[0] + second[2], first[1] + second[1], first[2] + second[0]


@dataclass(frozen=True)
class Strength:
    """Log-strength of one model; the strengths sum to zero. `interval` is None if the ratings cannot be resampled.

    With 95 % confidence for all models together, its rank lies between `best_rank` and `worst_rank`.
    """

    model: int
    log_strength: float
    interval: Interval | None
    best_rank: int
    worst_rank: int


@dataclass(frozen=True)
class Ranking:
    """Models from strongest to weakest. `tie_parameter` is ν; it is 0 if there are no ties."""

    strengths: tuple[Strength, ...]
    tie_parameter: float


def davidson(data: Comparisons, *, seed: int, replicates: int = 200) -> Ranking | None:
    """Maximum-likelihood fit with 95 % percentile intervals.

    None if the strengths are not finite: some models are not connected by comparisons, directly or through
    others, or a group of models never lost to or tied with the rest.
    """
    point = _fit(_cells(data, np.ones(len(data.first))))
    if point is None:
        return None
    strengths, tie = point
    draws = np.array(_resampled(data, seed, replicates)).reshape(-1, data.models)
    enough = len(draws) >= max(replicates / 2, 2)
    intervals: list[Interval | None] = [None] * data.models
    if enough:
        low, high = np.quantile(draws, [0.025, 0.975], axis=0)
        intervals = [Interval(float(a), float(b)) for a, b in zip(low, high, strict=True)]
    better = _surely_better(strengths, draws) if enough else np.zeros((data.models, data.models), dtype=bool)
    found = (
        Strength(
            int(model),
            float(strengths[model]),
            intervals[model],
            1 + int(better[:, model].sum()),
            data.models - int(better[model].sum()),
        )
        for model in np.argsort(-strengths, kind="stable")
    )
    return Ranking(tuple(found), tie)


def connected_groups(data: Comparisons) -> tuple[tuple[int, ...], ...]:
    """Groups of models connected by comparisons, directly or through others, largest first."""
    return _groups(data, "weak")


def undefeated_groups(data: Comparisons) -> tuple[tuple[int, ...], ...]:
    """Groups in which every model is linked to every other by losses or ties, directly or through others.

    With more than one group, the strengths are not finite.
    """
    return _groups(data, "strong")


def _groups(data: Comparisons, connection: str) -> tuple[tuple[int, ...], ...]:
    wins, ties = _cells(data, np.ones(len(data.first)))
    count, label = csgraph.connected_components(sparse.csr_array(wins + ties > 0), connection=connection)
    groups = [tuple(int(model) for model in np.flatnonzero(label == k)) for k in range(count)]
    return tuple(sorted(groups, key=lambda group: (-len(group), group)))


def _surely_better(strengths: FloatArray, draws: FloatArray) -> BoolArray:
    """(models, models): whether the row is better than the column, simultaneously at 95 %.

    A difference counts if it exceeds the 95 % quantile of the largest studentised difference of the draws.
    """
    difference = strengths[:, None] - strengths[None, :]
    drawn = draws[:, :, None] - draws[:, None, :]
    spread = drawn.std(axis=0, ddof=1)
    spread[spread == 0] = np.inf
    largest = np.abs((drawn - difference) / spread).max(axis=(1, 2))
    return np.asarray(difference > float(np.quantile(largest, 0.95)) * spread)


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
    pair = data.first * m + data.second
    won, tied, lost = (
        np.bincount(pair, times * (data.score == score), m * m).reshape(m, m) for score in (1.0, 0.5, 0.0)
    )
    return np.asarray(won + lost.T, dtype=np.float64), np.asarray(tied + tied.T, dtype=np.float64)


def _fit(cells: tuple[FloatArray, FloatArray]) -> tuple[FloatArray, float] | None:
    """Newton's method on the strengths and log ν. The log-likelihood is concave. None if no finite maximum exists."""
    wins, ties = cells
    models = len(wins)
    parts, _ = csgraph.connected_components(sparse.csr_array(wins + ties > 0), connection="strong")
    if parts != 1:
        return None
    total = wins + wins.T + ties
    tied = float(ties.sum()) / 2
    scale = max(float(total.sum()) / 2, 1.0)
    at = np.zeros(models + 1)
    for _ in range(_NEWTON_STEPS):
        gradient, hessian = _slopes(at, wins, total, tied)
        step = np.linalg.pinv(hessian) @ gradient
        # Far from the maximum a full step overshoots.
        at = at - step * min(1.0, _LARGEST_STEP / max(float(np.abs(step).max()), 1e-300))
        if float(np.abs(gradient).max()) < 1e-9 * scale:
            break
    return at[:models] - at[:models].mean(), float(np.exp(at[models])) if tied else 0.0


def _slopes(
    at: FloatArray, wins: FloatArray, total: FloatArray, tied: float
) -> tuple[FloatArray, FloatArray]:
    """Gradient and Hessian of the negative log-likelihood with respect to the strengths and log ν."""
    models = len(wins)
    difference = at[:models, None] - at[None, :models]
    # Relative to √(πi πj), the weights are exp(±d/2) and ν.
    up, down, tie = np.exp(difference / 2), np.exp(-difference / 2), np.exp(at[models]) * bool(tied)
    norm = up + down + tie
    lead, share = (up - down) / norm, tie / norm
    gradient = np.empty(models + 1)
    gradient[:models] = (total * lead - (wins - wins.T)).sum(1) / 2
    gradient[models] = (total * share).sum() / 2 - tied
    weight = total * ((up + down) / norm - lead**2) / 4
    hessian = np.zeros((models + 1, models + 1))
    hessian[:models, :models] = np.diag(weight.sum(1)) - weight
    hessian[models, :models] = hessian[:models, models] = -(total * lead * share).sum(1) / 2
    hessian[models, models] = (total * share * (1 - share)).sum() / 2 if tied else 1.0
    return gradient, hessian
