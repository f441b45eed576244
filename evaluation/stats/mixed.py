"""Crossed random-intercept model d ~ 1 + (1 | prompt) + (1 | reviewer), by REML with Satterthwaite df.

V = σ²(I + a·ZpZp' + b·ZrZr'). The prompt part inverts elementwise; the reviewer part follows by Woodbury,
so the largest matrix is m × m for the factor with fewer levels m. Sources: Patterson & Thompson (1971),
Biometrika 58, for REML; Satterthwaite's df as in Kuznetsova, Brockhoff & Christensen (2017), lmerTest, J.
Stat. Software 82(13).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, sparse

from evaluation.stats.estimate import Estimate
from evaluation.stats.ratings import FloatArray, IntArray, dense_codes, group_sums

_DENSE_CELLS = 200_000
# A variance component below this share of the residual variance is on its boundary.
_BOUNDARY = 1e-6
_STEP = 1e-3
# Near this ratio of a component to the residual there is no residual left to estimate.
_LARGEST_RATIO = 1e6


@dataclass(frozen=True)
class MixedMean:
    """Fitted model. Variances are in squared units of the values; shares of the total are the ρ of
    planning.

    `mean` is the model's own (generalised least squares) mean; `weighted` is the caller's weighted mean
    with the model's standard error for exactly those weights.
    """

    mean: Estimate
    weighted: Estimate
    prompt_variance: float
    reviewer_variance: float
    residual_variance: float

    @property
    def prompt_share(self) -> float:
        return self.prompt_variance / self._total

    @property
    def reviewer_share(self) -> float:
        return self.reviewer_variance / self._total

    @property
    def sd(self) -> float:
        """Standard deviation of one rating."""
        return float(np.sqrt(self._total))

    @property
    def _total(self) -> float:
        return self.prompt_variance + self.reviewer_variance + self.residual_variance


@dataclass(frozen=True, eq=False)
class _Design:
    """Sufficient statistics. `big` is the factor with more levels, `small` the other."""

    n: int
    big_n: FloatArray
    big_y: FloatArray
    small_n: FloatArray
    small_y: FloatArray
    yy: float
    cells: sparse.csr_array | FloatArray


def mixed_mean(
    values: FloatArray, prompt: IntArray, reviewer: IntArray, weights: FloatArray
) -> MixedMean | None:
    """Fit the model to `values` (n,); `weights` (n,) sum to 1.

    None where it cannot be fitted: fewer than two prompts or reviewers, fewer than four ratings, no
    variation, or a residual that cannot be told from the factors.
    """
    prompt, reviewer = dense_codes(prompt), dense_codes(reviewer)
    n = len(values)
    if n < 4 or prompt.max() < 1 or reviewer.max() < 1 or np.ptp(values) == 0:
        return None
    swapped = bool(reviewer.max() > prompt.max())
    big, small = (reviewer, prompt) if swapped else (prompt, reviewer)
    scale = float(values.std())
    design = _design((values - values.mean()) / scale, big, small)
    ratios = _fit(design)
    if ratios is None:
        return None
    form, _ = _quadratic(design, *ratios)
    sigma2 = (form[1, 1] - form[0, 1] ** 2 / form[0, 0]) / (n - 1)
    if not sigma2 > 1e-12:
        return None
    components = sigma2 * np.array([1.0, *ratios])
    squares = np.array([weights @ weights, _square_sum(big, weights), _square_sum(small, weights)])
    sizes = (n, int(prompt.max()) + 1, int(reviewer.max()) + 1)
    steps, covariance = _covariance(design, components)

    def of_model(c: FloatArray) -> float:
        return float(c[0] / _quadratic(design, c[1] / c[0], c[2] / c[0])[0][0, 0])

    model = _satterthwaite(components, steps, covariance, of_model, n - 1)
    own = _satterthwaite(components, steps, covariance, lambda c: float(squares @ c), n - 1)
    center = float(values.mean())
    residual, of_big, of_small = components * scale**2
    return MixedMean(
        Estimate(float(center + scale * form[0, 1] / form[0, 0]), scale * model[0], model[1], *sizes),
        Estimate(float(weights @ values), scale * own[0], own[1], *sizes),
        prompt_variance=float(of_small if swapped else of_big),
        reviewer_variance=float(of_big if swapped else of_small),
        residual_variance=float(residual),
    )


def _design(y: FloatArray, big: IntArray, small: IntArray) -> _Design:
    shape = (int(big.max()) + 1, int(small.max()) + 1)
    cells = sparse.csr_array((np.ones(len(y)), (big, small)), shape=shape)
    return _Design(
        len(y),
        np.bincount(big).astype(float),
        group_sums(y, big),
        np.bincount(small).astype(float),
        group_sums(y, small),
        float(y @ y),
        cells.toarray() if shape[0] * shape[1] <= _DENSE_CELLS else cells,
    )


def _quadratic(design: _Design, a: float, b: float) -> tuple[FloatArray, float]:
    """[1 y]'V⁻¹[1 y] and log|V| for σ² = 1 and variance ratios a (big factor) and b (small factor)."""
    k = a / (1 + a * design.big_n)
    cells = design.cells
    if isinstance(cells, np.ndarray):
        overlap = (cells.T * k) @ cells
    else:
        overlap = (cells.T @ (sparse.diags_array(k) @ cells)).toarray()
    inner = -b * overlap
    inner[np.diag_indices_from(inner)] += 1 + b * design.small_n
    pairs = np.column_stack([design.big_n, design.big_y])
    cross = np.column_stack([design.small_n, design.small_y]) - cells.T @ (k[:, None] * pairs)
    total = design.big_y.sum()
    form = np.array([[design.n, total], [total, design.yy]]) - pairs.T @ (k[:, None] * pairs)
    root = np.linalg.cholesky(inner)
    logdet = float(np.log1p(a * design.big_n).sum() + 2 * np.log(np.diag(root)).sum())
    return form - b * cross.T @ np.linalg.solve(inner, cross), logdet


def _fit(design: _Design) -> FloatArray | None:
    """The variance ratios (a, b) that minimise the REML deviance with σ² profiled out."""

    def deviance(shares: FloatArray) -> float:
        # u = a/(1 + a) keeps the slope at zero, so that the search leaves a boundary that is no minimum; along a
        # square root the slope vanishes there and the search would stay.
        form, logdet = _quadratic(design, *(shares / (1 - shares)))
        rss = form[1, 1] - form[0, 1] ** 2 / form[0, 0]
        return float((design.n - 1) * np.log(max(rss, 1e-300)) + logdet + np.log(form[0, 0]))

    largest = _LARGEST_RATIO / (1 + _LARGEST_RATIO)
    try:
        found = optimize.minimize(deviance, [0.3, 0.15], method="L-BFGS-B", bounds=[(0.0, largest)] * 2)
    except np.linalg.LinAlgError:
        return None
    shares = np.asarray(found.x)
    ratios = shares / (1 - shares)
    return ratios if ratios.max() < _LARGEST_RATIO / 10 else None


def _covariance(design: _Design, components: FloatArray) -> tuple[list[FloatArray], FloatArray]:
    """Steps (one per component off its boundary) and the covariance of those components' estimates.

    The covariance is twice the inverse of the deviance's Hessian, by central differences over the steps.
    """

    def deviance(c: FloatArray) -> float:
        form, logdet = _quadratic(design, c[1] / c[0], c[2] / c[0])
        rss = form[1, 1] - form[0, 1] ** 2 / form[0, 0]
        return float((design.n - 1) * np.log(c[0]) + logdet + np.log(form[0, 0]) + rss / c[0])

    free = [i for i in range(3) if components[i] > _BOUNDARY * components[0]]
    sizes = np.minimum(_STEP * (components[0] + components), 0.4 * components)[free]
    steps = [size * axis for size, axis in zip(sizes, np.eye(3)[free], strict=True)]
    hessian: FloatArray = np.empty((len(free), len(free)))
    for i, u in enumerate(steps):
        for j, v in enumerate(steps[: i + 1]):
            corners = (deviance(components + s * u + t * v) * s * t for s in (1, -1) for t in (1, -1))
            hessian[i, j] = hessian[j, i] = sum(corners) / (4 * sizes[i] * sizes[j])
    covariance: FloatArray = 2 * np.linalg.pinv(hessian).astype(np.float64)
    return steps, covariance


def _satterthwaite(
    components: FloatArray,
    steps: list[FloatArray],
    covariance: FloatArray,
    variance: Callable[[FloatArray], float],
    most: int,
) -> tuple[float, float]:
    """Standard error √v and df 2v²/(g'Cg), g the gradient of v by the components; df at most `most`."""
    value = variance(components)
    gradient = np.array(
        [(variance(components + u) - variance(components - u)) / (2 * float(u.sum())) for u in steps]
    )
    spread = float(gradient @ covariance @ gradient)
    df = 2 * value * value / spread if spread > 0 else 1.0
    return float(np.sqrt(value)), float(np.clip(df, 1.0, most))


def _square_sum(group: IntArray, weights: FloatArray) -> float:
    shares = group_sums(weights, group)
    return float(shares @ shares)
