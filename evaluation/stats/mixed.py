"""Crossed random-intercept model d ~ 1 + (1 | prompt) + (1 | reviewer), by REML with Satterthwaite df.

V = σ²(I + a·ZpZp' + b·ZrZr'). The prompt part is inverted elementwise and the reviewer part by Woodbury's
identity, so the largest matrix is m × m for the factor with fewer levels m. Sources: Patterson & Thompson
(1971), Biometrika 58, for REML; Searle, Casella & McCulloch (1992), Variance Components, §6.6, for its
derivatives; Kuznetsova, Brockhoff & Christensen (2017), lmerTest, J. Stat. Software 82(13), for
Satterthwaite's df.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize, sparse

from evaluation.stats.arrays import FloatArray, IntArray, group_sums
from evaluation.stats.clusters import Clusters
from evaluation.stats.estimate import Estimate

_DENSE_CELLS = 200_000
# A variance component below this share of the residual variance is on its boundary.
_BOUNDARY = 1e-6
_STEP = 1e-3
# Near this ratio of a component to the residual, no residual is left to estimate.
_LARGEST_RATIO = 1e6
# Levels of the larger factor with the same number of ratings share one product of cells. The products may
# together hold this many numbers. If they do not fit, more levels of the smaller factor than the second limit
# are too slow.
_GRAM_NUMBERS = 4e7
_LEVELS_WITHOUT_GRAMS = 500


@dataclass(frozen=True)
class MixedMean:
    """A fitted model. Variances are in squared units of the values.

    Shares of the total variance are the ρ used in planning. `mean` is the model's generalised least-squares
    mean. `weighted` is the caller's weighted mean, with the model's standard error for these weights.
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
    def residual_share(self) -> float:
        return self.residual_variance / self._total

    @property
    def sd(self) -> float:
        """Standard deviation of one rating."""
        return float(np.sqrt(self._total))

    @property
    def _total(self) -> float:
        return self.prompt_variance + self.reviewer_variance + self.residual_variance


@dataclass(frozen=True, eq=False)
class _Design:
    """Sufficient statistics. `big` is the factor with more levels, `small` the other.

    For every number of ratings that a level of `big` can have, `grams` holds C'C over the levels with that
    number; it is None if these matrices are too many to keep.
    """

    n: int
    big_n: FloatArray
    big_y: FloatArray
    small_n: FloatArray
    small_y: FloatArray
    yy: float
    cells: sparse.csr_array | FloatArray
    grams: tuple[tuple[float, FloatArray], ...] | None


@dataclass(frozen=True, eq=False)
class _Terms:
    """The REML deviance (n − 1)·log σ² + `logs` + `rss`/σ² at variance ratios (a, b), and its derivatives (2,).

    `ones` is 1'V⁻¹1 for σ² = 1. `mean` is the generalised least-squares mean. Fields with the suffix `_d` are
    derivatives with respect to (a, b).
    """

    mean: float
    ones: float
    logs: float
    rss: float
    ones_d: FloatArray
    logs_d: FloatArray
    rss_d: FloatArray


def mixed_mean(values: FloatArray, clusters: Clusters) -> MixedMean | None:
    """Fit the model to `values` (n,).

    None if it cannot be fitted: fewer than two prompts or reviewers, fewer than four ratings, no variation, a
    residual that cannot be separated from the factors, or a design too large and uneven to factor quickly.
    """
    n, prompts, reviewers = clusters.sizes
    if n < 4 or prompts < 2 or reviewers < 2 or np.ptp(values) == 0:
        return None
    swapped = reviewers > prompts
    factors = clusters.by_prompt, clusters.by_reviewer
    big, small = factors[::-1] if swapped else factors
    center, scale = float(values.mean()), float(values.std())
    design = _design((values - center) / scale, big.codes, small.codes)
    if design.grams is None and len(design.small_n) > _LEVELS_WITHOUT_GRAMS:
        return None
    ratios = _fit(design)
    if ratios is None:
        return None
    found = _terms(design, *ratios)
    sigma2 = found.rss / (n - 1)
    if not sigma2 > 1e-12:
        return None
    free = np.flatnonzero(ratios > _BOUNDARY)
    covariance = _covariance(design, ratios, found, free)
    weights = clusters.weights
    squares = np.array([part @ part for part in (weights, big.shares, small.shares)])
    own = float(squares[0] + ratios @ squares[1:])
    # Each variance is σ² times a function of the ratios, given here by its value and its gradient with
    # respect to the free ratios.
    of_model = 1 / found.ones, -found.ones_d[free] / found.ones**2
    of_weights = own, squares[1:][free]
    of_big, of_small = sigma2 * ratios * scale**2

    def estimate(value: float, form: tuple[float, FloatArray]) -> Estimate:
        se, df = _satterthwaite(sigma2, *form, covariance, n - 1)
        return Estimate(value, scale * se, df, *clusters.sizes)

    return MixedMean(
        estimate(center + scale * found.mean, of_model),
        estimate(float(weights @ values), of_weights),
        prompt_variance=float(of_small if swapped else of_big),
        reviewer_variance=float(of_big if swapped else of_small),
        residual_variance=sigma2 * scale**2,
    )


def _design(y: FloatArray, big: IntArray, small: IntArray) -> _Design:
    shape = (int(big.max()) + 1, int(small.max()) + 1)
    cells: sparse.csr_array | FloatArray
    if shape[0] * shape[1] <= _DENSE_CELLS:
        flat = np.bincount(big * shape[1] + small, minlength=shape[0] * shape[1])
        cells = flat.reshape(shape).astype(np.float64)
    else:
        cells = sparse.csr_array((np.ones(len(y)), (big, small)), shape=shape)
    big_n = np.bincount(big).astype(float)
    return _Design(
        len(y),
        big_n,
        group_sums(y, big),
        np.bincount(small).astype(float),
        group_sums(y, small),
        float(y @ y),
        cells,
        _grams(cells, big_n),
    )


def _grams(
    cells: sparse.csr_array | FloatArray, big_n: FloatArray
) -> tuple[tuple[float, FloatArray], ...] | None:
    numbers = np.unique(big_n)
    if len(numbers) * cells.shape[1] ** 2 > _GRAM_NUMBERS or len(numbers) > 64:
        return None
    parts = ((float(number), cells[big_n == number]) for number in numbers)
    return tuple((number, _dense(part.T @ part)) for number, part in parts)


def _dense(matrix: sparse.csr_array | FloatArray) -> FloatArray:
    return matrix if isinstance(matrix, np.ndarray) else np.asarray(matrix.toarray())


def _gram(design: _Design, k: FloatArray, of_number: FloatArray) -> FloatArray:
    """C'·diag(k)·C for `k` (big levels,) that depends only on the level's number of ratings."""
    if design.grams is not None:
        (_, first), *rest = design.grams
        total = of_number[0] * first
        for weight, (_, gram) in zip(of_number[1:], rest, strict=True):
            total += weight * gram
        return np.asarray(total)
    cells = design.cells
    if isinstance(cells, np.ndarray):
        return np.asarray((cells.T * k) @ cells)
    return _dense(cells.T @ (sparse.diags_array(k) @ cells))


def _terms(design: _Design, a: float, b: float) -> _Terms:
    """With W = (I + a·ZpZp')⁻¹ and M = I + b·Zr'WZr: V⁻¹ = W − b·W·Zr·M⁻¹·Zr'·W for σ² = 1."""
    shrink = 1 / (1 + a * design.big_n)
    numbers = np.array([number for number, _ in design.grams or ()])
    few = 1 / (1 + a * numbers)
    inner = _gram(design, -a * shrink, -a * few)
    size = len(inner)
    inner.flat[:: size + 1] += design.small_n
    m = b * inner
    m.flat[:: size + 1] += 1
    # M is symmetric, so its transpose is the same matrix in LAPACK's memory order and can be factored in
    # place.
    root, failed = linalg.lapack.dpotrf(m.T, lower=True, overwrite_a=True)
    if failed:
        raise np.linalg.LinAlgError("the covariance is not positive definite")
    logdet = float(np.log1p(a * design.big_n).sum() + 2 * np.log(np.diag(root)).sum())
    # The columns belong to 1 and y. `solved` is Zr'V⁻¹[1 y], `left` is Zp'V⁻¹[1 y].
    pairs = np.column_stack([design.big_n, design.big_y])
    cross = np.column_stack([design.small_n, design.small_y])
    cross -= design.cells.T @ ((a * shrink)[:, None] * pairs)
    solved, _ = linalg.lapack.dpotrs(root, cross, lower=True)
    left = shrink[:, None] * (pairs - b * (design.cells @ solved))
    total = design.big_y.sum()
    form = np.array([[design.n, total], [total, design.yy]])
    form = form - pairs.T @ ((a * shrink)[:, None] * pairs) - b * cross.T @ solved
    ones = float(form[0, 0])
    mean = float(form[0, 1]) / ones
    inverse, _ = linalg.lapack.dpotri(root, lower=True, overwrite_c=True)
    by_big = float(shrink @ design.big_n) - b * _gram_trace(inverse, design, shrink**2, few**2)
    traces = np.array([by_big, _trace(inverse, inner)])
    ones_d = -np.array([float(side[:, 0] @ side[:, 0]) for side in (left, solved)])
    residuals = [side[:, 1] - mean * side[:, 0] for side in (left, solved)]
    return _Terms(
        mean=mean,
        ones=ones,
        logs=logdet + float(np.log(ones)),
        rss=float(form[1, 1]) - mean * float(form[0, 1]),
        ones_d=ones_d,
        logs_d=traces + ones_d / ones,
        rss_d=-np.array([float(r @ r) for r in residuals]),
    )


def _gram_trace(lower: FloatArray, design: _Design, k: FloatArray, of_number: FloatArray) -> float:
    """Trace of the product of a symmetric matrix, given by its lower triangle, and C'·diag(k)·C."""
    if design.grams is None:
        return _trace(lower, _gram(design, k, of_number))
    return sum(
        float(weight) * _trace(lower, gram) for weight, (_, gram) in zip(of_number, design.grams, strict=True)
    )


def _trace(lower: FloatArray, symmetric: FloatArray) -> float:
    """Trace of the product of two symmetric matrices, the first given by its lower triangle in column order."""
    return 2 * float(np.vdot(lower.T, symmetric)) - float(np.diag(lower) @ np.diag(symmetric))


def _fit(design: _Design) -> FloatArray | None:
    """The variance ratios (a, b) that minimise the REML deviance with σ² profiled out; None if the fit fails."""

    def deviance(shares: FloatArray) -> tuple[float, FloatArray]:
        # With u = a/(1 + a) the slope at zero does not vanish, so the search can leave a boundary that is not
        # a minimum. With a square root the slope vanishes there, and the search would stay.
        at = _terms(design, *(shares / (1 - shares)))
        rss = max(at.rss, 1e-300)
        slope = at.logs_d + (design.n - 1) * at.rss_d / rss
        return (design.n - 1) * float(np.log(rss)) + at.logs, slope / (1 - shares) ** 2

    largest = _LARGEST_RATIO / (1 + _LARGEST_RATIO)
    try:
        found = optimize.minimize(
            deviance, [0.3, 0.15], jac=True, method="L-BFGS-B", bounds=[(0.0, largest)] * 2
        )
    except np.linalg.LinAlgError:
        return None
    shares = np.asarray(found.x)
    ratios = shares / (1 - shares)
    return ratios if ratios.max() < _LARGEST_RATIO / 10 else None


def _covariance(design: _Design, ratios: FloatArray, at: _Terms, free: IntArray) -> FloatArray:
    """Covariance of the estimates of σ² and of the `free` ratios (k,): (k + 1, k + 1).

    It is twice the inverse of the deviance's Hessian. `at` holds the terms at the ratios. Second derivatives
    with respect to the ratios are central differences of the first.
    """
    sigma2 = at.rss / (design.n - 1)
    hessian = np.zeros((len(free) + 1, len(free) + 1))
    hessian[0, 0] = -(design.n - 1) / sigma2**2 + 2 * at.rss / sigma2**3
    hessian[0, 1:] = hessian[1:, 0] = -at.rss_d[free] / sigma2**2
    for column, which in enumerate(free, start=1):
        step = np.zeros(2)
        step[which] = _STEP * min(1 + ratios[which], 400 * ratios[which])
        up, down = (_terms(design, *(ratios + side * step)) for side in (1, -1))
        change = (up.logs_d - down.logs_d + (up.rss_d - down.rss_d) / sigma2)[free]
        hessian[1:, column] = change / (2 * step[which])
    hessian = (hessian + hessian.T) / 2
    return np.asarray(2 * np.linalg.pinv(hessian), dtype=np.float64)


def _satterthwaite(
    sigma2: float, form: float, gradient: FloatArray, covariance: FloatArray, most: int
) -> tuple[float, float]:
    """Standard error √v of v = σ²·`form`, and df 2v²/(g'Cg), at most `most`.

    `gradient` is the gradient of `form` with respect to the ratios.
    """
    value = sigma2 * form
    slope = np.concatenate([[form], sigma2 * gradient])
    spread = float(slope @ covariance @ slope)
    df = 2 * value * value / spread if spread > 0 else 1.0
    return float(np.sqrt(value)), float(np.clip(df, 1.0, most))
