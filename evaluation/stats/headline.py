"""The headline inference: the mixed-model interval, widened where the two-way clustered one is wider.

Two estimates of one standard error differ by chance alone. Always using the larger one is too wide on average
and costs power, and each method alone fails for some data. With half-widths m (mixed model, same weights) and
c (clustered), the half-width of the headline is √(m² + max(0, c² − m²)/3). It is never narrower than the
model's, and it is wider where the model may be wrong. The factor 1/3 was chosen by simulation with separate
seeds; the benchmark `stats_calibration` evaluates it.
"""

import math
from dataclasses import dataclass

from scipy import optimize

from evaluation.stats.arrays import FloatArray
from evaluation.stats.clustered import clustered_mean
from evaluation.stats.clusters import Clusters
from evaluation.stats.estimate import Estimate, Interval
from evaluation.stats.mixed import MixedMean, mixed_mean

# The mixed model factors a matrix of the smaller factor's size about a dozen times. With more levels than
# this in both factors, the clustered form has enough clusters for its large-sample theory and is used alone.
# Only the primary outcome has a higher limit.
MIXED_MODEL_LEVELS = 400
PRIMARY_MODEL_LEVELS = 2500
# Share of the clustered variance's excess over the model's that is added.
_EXCESS = 1 / 3
_LEAST_P = 1e-290


@dataclass(frozen=True)
class Headline:
    """One mean with both inferences. `mixed` is None if the model was not fitted."""

    clustered: Estimate
    mixed: MixedMean | None

    @property
    def value(self) -> float | None:
        return self.clustered.value

    @property
    def problem(self) -> str | None:
        return self.clustered.problem

    @property
    def se(self) -> float | None:
        """The standard error, combined like the interval; None if none exists."""
        clustered, model = self.clustered.se, self._model
        if clustered is None or model is None or model.se is None:
            return clustered
        return _blend(model.se, clustered)

    def interval(self, level: float = 0.95) -> Interval | None:
        """The symmetric interval at confidence `level`; None without a standard error."""
        half = self.half_width(1 - level)
        if self.value is None or not math.isfinite(half):
            return None
        return Interval(self.value - half, self.value + half)

    def half_width(self, p: float) -> float:
        """Distance from the estimate at which a value has the two-sided p-value `p`; infinite without a
        standard error.
        """
        outer = self.clustered.half_width(p)
        return outer if self._model is None else _blend(self._model.half_width(p), outer)

    def p_value(self, null: float = 0.0) -> float | None:
        """Two-sided p-value of H0: mean = `null`; None without a standard error."""
        return None if self.value is None else self.p_value_at(abs(self.value - null))

    def p_value_at(self, distance: float) -> float | None:
        """The p-value with `distance` as its half-width; None without a standard error.

        It lies between the p-values of the two inferences.
        """
        outer, inner = self.clustered, self._model
        clustered = _p_value_at(outer, distance)
        model = None if inner is None else _p_value_at(inner, distance)
        if inner is None or clustered is None or model is None:
            return clustered
        if clustered <= model:
            return model

        def beyond(log_p: float) -> float:
            return self.half_width(math.exp(log_p)) - distance

        low, high = (math.log(max(p, _LEAST_P)) for p in (model, clustered))
        if not beyond(low) > 0 > beyond(high):
            return clustered
        return math.exp(optimize.brentq(beyond, low, high, xtol=1e-10))

    @property
    def _model(self) -> Estimate | None:
        return self.mixed.weighted if self.mixed is not None and self.clustered.se is not None else None


def _p_value_at(estimate: Estimate, distance: float) -> float | None:
    return None if estimate.value is None else estimate.p_value(estimate.value - distance)


def _blend(model: float, clustered: float) -> float:
    return math.sqrt(model**2 + max(0.0, clustered**2 - model**2) * _EXCESS)


def headline_mean(
    values: FloatArray, clusters: Clusters, *, model_levels: int = MIXED_MODEL_LEVELS
) -> Headline:
    """Weighted mean of `values` (n,).

    The mixed model is fitted if the factor with fewer levels has at most `model_levels`. Raises ValueError as
    `clustered_mean` does.
    """
    clustered = clustered_mean(values, clusters)
    smaller = min(clustered.n_prompts, clustered.n_reviewers)
    # The model has one effect per group and could not describe prompts inside groups.
    if clustered.se is None or smaller > model_levels or clusters.nested:
        return Headline(clustered, None)
    return Headline(clustered, mixed_mean(values, clusters))
