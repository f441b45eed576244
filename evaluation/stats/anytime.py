"""A confidence sequence: an interval that may be monitored at any time.

Source: Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), Time-uniform central limit theory and asymptotic
confidence sequences, Annals of Statistics 52(6), with the two-way clustered standard error in place of the
independent one. The sequence is asymptotic. At every moment it is wider than the interval of one planned
analysis, which is the cost of monitoring.
"""

import math

from scipy import stats

from evaluation.stats.estimate import Interval


def sequence_bound(se: float, *, planned_se: float, level: float = 0.95) -> float:
    """The critical |z| at standard error `se`. A single analysis at 95 % has 1.96.

    With information V = 1/SE², it is √((V + τ)·log((V + τ)/(τα²))/V). `planned_se`, in the unit of `se`, is
    the standard error expected at the end; it sets τ so that the sequence is narrowest there. Raises
    ValueError unless both standard errors are positive and `level` lies between 0 and 1.
    """
    if se <= 0 or planned_se <= 0 or not 0 < level < 1:
        raise ValueError("standard errors must be positive and level between 0 and 1")
    squared = 2 * math.log(1 / (1 - level))
    tau = 1 / (planned_se**2 * (squared + math.log(squared + 1) + 1))
    information = 1 / se**2
    total = information + tau
    return math.sqrt(total / information * (math.log(total / tau) + squared))


def sequence_level(se: float, *, planned_se: float, level: float = 0.95) -> float:
    """The two-sided nominal level of `sequence_bound`: a p-value up to it is significant at this moment."""
    return float(2 * stats.norm.sf(sequence_bound(se, planned_se=planned_se, level=level)))


def confidence_sequence(value: float, se: float, *, planned_se: float, level: float = 0.95) -> Interval:
    """Interval around `value`, in its unit, that has simultaneous coverage `level` over all moments."""
    half = se * sequence_bound(se, planned_se=planned_se, level=level)
    return Interval(value - half, value + half)
