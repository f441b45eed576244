"""A confidence sequence: an interval that may be watched all the time.

Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), Time-uniform central limit theory and asymptotic
confidence sequences, Annals of Statistics 52(6), with the two-way clustered standard error in place of
the independent one. It is asymptotic, and wider at every moment than an interval for one planned look:
that is the price of watching.
"""

import math

from evaluation.stats.estimate import Interval


def confidence_sequence(value: float, se: float, *, planned_se: float, level: float = 0.95) -> Interval:
    """Interval around `value` that covers at every moment at once with confidence `level`.

    With information V = 1/SE² the half-width is √((V + τ)·log((V + τ)/(τα²)))/V. `planned_se` is the
    standard error expected at the end: it sets τ so that the sequence is narrowest there. Raises
    ValueError unless both errors are positive and `level` lies between 0 and 1.
    """
    if se <= 0 or planned_se <= 0 or not 0 < level < 1:
        raise ValueError("standard errors must be positive and level between 0 and 1")
    squared = 2 * math.log(1 / (1 - level))
    tau = 1 / (planned_se**2 * (squared + math.log(squared + 1) + 1)) if squared > 0 else 1 / planned_se**2
    information = 1 / se**2
    total = information + tau
    half = math.sqrt(total * (math.log(total / tau) + squared)) / information
    return Interval(value - half, value + half)
