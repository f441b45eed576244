"""The verdict that an interval supports, given the margin frozen before the data."""

from dataclasses import dataclass
from typing import Literal

from evaluation.stats.estimate import Interval

Verdict = Literal["better", "worse", "equivalent", "not_worse", "inconclusive"]


@dataclass(frozen=True)
class Evidence:
    """The evidence for a verdict about a quantity whose `null` means "no difference".

    `interval` has confidence 1 − `alpha`. `equivalence_interval` is the interval of the two one-sided tests,
    with confidence 1 − 2·alpha in a fixed design (Schuirmann 1987). None means that the data have no
    information about the error.
    """

    value: float | None
    p_value: float | None
    interval: Interval | None
    equivalence_interval: Interval | None


def decide(evidence: Evidence, *, null: float, margin: float, alpha: float) -> Verdict:
    """Return "better" or "worse" by the two-sided test, else "equivalent", "not_worse" by `margin`, or "inconclusive".

    `margin` and `null` are in the unit of the estimate. Raises ValueError unless `margin` is positive and
    `alpha` lies between 0 and 1.
    """
    if margin <= 0 or not 0 < alpha < 1:
        raise ValueError("margin must be positive and alpha between 0 and 1")
    if evidence.value is None or evidence.p_value is None or evidence.interval is None:
        return "inconclusive"
    if evidence.p_value <= alpha and evidence.value != null:
        return "better" if evidence.value > null else "worse"
    if is_equivalent(evidence.equivalence_interval, null=null, margin=margin):
        return "equivalent"
    return "not_worse" if is_not_worse(evidence.interval, null=null, margin=margin) else "inconclusive"


def is_equivalent(interval: Interval | None, *, null: float, margin: float) -> bool:
    """Two one-sided tests: the whole interval lies strictly inside null ± margin."""
    return interval is not None and null - margin < interval.low and interval.high < null + margin


def is_not_worse(interval: Interval | None, *, null: float, margin: float) -> bool:
    """Non-inferiority: the lower bound lies above null − margin."""
    return interval is not None and interval.low > null - margin
