"""Boundaries that keep the overall false-positive rate when planned analyses run before the end.

The score process at information fraction t is Brownian motion. Its density on the continuation region is
carried from one analysis to the next by Gauss–Legendre quadrature. Sources: O'Brien & Fleming (1979),
Biometrics 35; Pocock (1977), Biometrika 64; Lan & DeMets (1983), Biometrika 70; Armitage, McPherson & Rowe
(1969), JRSS A 132, for the recursion; Jennison & Turnbull (1989), JRSS B 51, for repeated confidence
intervals.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy import optimize, stats

from evaluation.stats.arrays import FloatArray
from evaluation.stats.quadrature import gauss_legendre

Shape = Literal["obrien_fleming", "pocock"]
# Beyond this the normal tail is below 1e-15, so an analysis that early cannot stop.
_NEVER = 8.0
MAX_LOOKS = 50


@dataclass(frozen=True)
class Boundaries:
    """Two-sided critical values of |Z| at each planned analysis, and the cumulative level spent up to it."""

    fractions: tuple[float, ...]
    z: tuple[float, ...]
    spent: tuple[float, ...]

    def nominal_level(self, number: int) -> float:
        """Two-sided nominal significance level of the planned analysis `number` (1-based)."""
        return float(2 * stats.norm.sf(self.z[number - 1]))


def spending_boundaries(fractions: Sequence[float], alpha: float = 0.05) -> Boundaries:
    """Lan–DeMets boundaries with O'Brien–Fleming-type spending, for analyses at any increasing `fractions`.

    The level spent up to fraction t is 4·(1 − Φ(z(α/4)/√t)), half of it on each side. The bound of an
    analysis depends only on the analyses up to it, so the boundaries stay valid if later fractions differ
    from the plan. Raises ValueError unless `fractions` increase strictly in (0, 1] and there are at most
    MAX_LOOKS of them, or if `alpha` does not lie between 0 and 1.
    """
    _check(fractions, alpha)
    totals = [float(4 * stats.norm.sf(stats.norm.isf(alpha / 4) / math.sqrt(t))) for t in fractions]
    process = _Process()
    z: list[float] = []
    for t, spend in zip(fractions, np.diff([0.0, *totals]), strict=True):
        z.append(_bound(process, t, float(spend)))
        process = process.after(t, z[-1])
    return Boundaries(tuple(fractions), tuple(z), tuple(totals))


def classical_constant(looks: int, shape: Shape, alpha: float = 0.05) -> float:
    """The constant C for equally spaced analyses: reject if |Z_k| ≥ C (Pocock) or C·√(K/k) (O'Brien–Fleming).

    Raises ValueError for fewer than one or more than MAX_LOOKS analyses.
    """
    fractions = [k / looks for k in range(1, looks + 1)] if looks > 0 else []
    _check(fractions, alpha)
    profile = [1 / math.sqrt(t) if shape == "obrien_fleming" else 1.0 for t in fractions]

    def excess(constant: float) -> float:
        return crossing_probability(fractions, [constant * p for p in profile]) - alpha

    return float(optimize.brentq(excess, stats.norm.isf(alpha / 2) - 1e-9, 6.0, xtol=1e-7))


def crossing_probability(fractions: Sequence[float], z: Sequence[float]) -> float:
    """Probability that |Z| reaches its bound at some analysis under the null hypothesis."""
    process, total = _Process(), 0.0
    for t, bound in zip(fractions, z, strict=True):
        total += process.crossing(t, bound)
        process = process.after(t, bound)
    return total


@dataclass(frozen=True, eq=False)
class _Process:
    """Sub-density of the score process that has not stopped: point masses `mass` at `nodes`, at time `t`."""

    t: float = 0.0
    nodes: FloatArray = field(default_factory=lambda: np.zeros(1))
    mass: FloatArray = field(default_factory=lambda: np.ones(1))

    def crossing(self, t: float, z: float) -> float:
        bound, sd = z * math.sqrt(t), math.sqrt(t - self.t)
        tails = stats.norm.sf((bound - self.nodes) / sd) + stats.norm.cdf((-bound - self.nodes) / sd)
        return float(self.mass @ tails)

    def after(self, t: float, z: float) -> "_Process":
        bound, sd = min(z, _NEVER) * math.sqrt(t), math.sqrt(t - self.t)
        # With nodes closer than half the standard deviation of the step, the kernel is integrated to machine
        # precision.
        x, w = gauss_legendre(min(max(64, math.ceil(8 * bound / sd)), 1000))
        nodes = x * bound
        kernel = stats.norm.pdf((nodes[:, None] - self.nodes) / sd) / sd
        return _Process(t, nodes, (kernel @ self.mass) * w * bound)


def _bound(process: _Process, t: float, spend: float) -> float:
    """The z at which the probability of stopping at time t is `spend`."""

    def excess(z: float) -> float:
        return process.crossing(t, z) - spend

    if excess(_NEVER) >= 0:
        return _NEVER
    return float(optimize.brentq(excess, 0.0, _NEVER, xtol=1e-9))


def _check(fractions: Sequence[float], alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError("alpha must lie strictly between 0 and 1")
    if not 0 < len(fractions) <= MAX_LOOKS:
        raise ValueError(f"there must be 1 to {MAX_LOOKS} looks")
    if fractions[0] <= 0 or fractions[-1] > 1 or any(np.diff(fractions) <= 0):
        raise ValueError("looks must be increasing fractions of the planned ratings, in (0, 1]")
