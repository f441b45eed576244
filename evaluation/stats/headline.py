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
        """The interval at confidence `level`; None without a standard error."""
        between = self.clustered.interval(level)
        inside = self._model.interval(level) if self._model else None
        if between is None or inside is None or self.value is None:
            return between
        half = _blend((inside.high - inside.low) / 2, (between.high - between.low) / 2)
        return Interval(self.value - half, self.value + half)

    def p_value(self, null: float = 0.0) -> float | None:
        """The level whose interval has `null` as an end; None without a standard error.

        It lies between the p-values of the two inferences.
        """
        clustered = self.clustered.p_value(null)
        model = self._model.p_value(null) if self._model else None
        if clustered is None or model is None:
            return clustered
        if clustered <= model or self.value is None or self.mixed is None:
            return model
        distance = abs(self.value - null)

        def beyond(log_p: float) -> float:
            p = math.exp(log_p)
            return _blend(inner.half_width(p), outer.half_width(p)) - distance

        inner, outer = self.mixed.weighted, self.clustered
        low, high = (math.log(max(p, _LEAST_P)) for p in (model, clustered))
        if not beyond(low) > 0 > beyond(high):
            return clustered
        return math.exp(optimize.brentq(beyond, low, high, xtol=1e-10))

    @property
    def _model(self) -> Estimate | None:
        return self.mixed.weighted if self.mixed is not None and self.clustered.se is not None else None


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
    if clustered.se is None or smaller > model_levels:
        return Headline(clustered, None)
    return Headline(clustered, mixed_mean(values, clusters))
