"""Means with intervals that stay valid at the ends of a scale, and statistics in linearised form."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from evaluation.stats.clusters import Clusters
from evaluation.stats.estimate import Interval
from evaluation.stats.linearised import intercept, log_ratio
from evaluation.stats.means import DIFFERENCES_OF_SHARES, POINTS, Mean, mean_of
from evaluation.stats.pooling import pooled
from evaluation.stats.relative import relative_change
from evaluation.stats.weights import prompt_weights, rating_weights
from tests.evaluation.stats.crossed import crossed_values, design


def _independent(values) -> tuple[np.ndarray, Clusters]:
    codes = np.arange(len(values))
    return np.asarray(values, dtype=float), Clusters(codes, codes, rating_weights(len(values)))


def _crossed(prompts=100, overlap=3, reviewers=20, seed=0) -> Clusters:
    prompt, reviewer = design(np.random.default_rng(seed), prompts, overlap, reviewers)
    return Clusters(prompt, reviewer, prompt_weights(prompt))


def _interval(mean: Mean, level: float = 0.95) -> Interval:
    found = mean.interval(level)
    assert found is not None
    return found


def _p(mean: Mean, null: float) -> float:
    found = mean.p_value(null)
    assert found is not None
    return found


def test_independent_answers_have_nearly_the_score_interval():
    found = _interval(mean_of(*_independent(np.repeat([1.0, 0.0], [81, 182]))))
    assert (found.low, found.high) == pytest.approx(proportion_confint(81, 263, method="wilson"), abs=4e-3)


@pytest.mark.parametrize("losses", [0, 1, 2, 5, 20, 60, 150])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.999])
def test_p_value_and_interval_agree(losses, level):
    values = np.ones(300)
    values[np.random.default_rng(losses).permutation(300)[:losses]] = 0.0
    mean = mean_of(values, _crossed())
    found = _interval(mean, level)
    assert 0 <= found.low < found.high <= 1
    assert _p(mean, found.low) == pytest.approx(1 - level, rel=1e-4)
    if losses:
        assert _p(mean, found.high) == pytest.approx(1 - level, rel=1e-4)


def test_the_interval_moves_little_when_one_rating_changes():
    """Three reviewers, ninety wins: once 29 to 100 %, and 98 to 100 % as soon as one win became a tie."""
    clusters = _crossed(30, 3, 3)
    lows = []
    for changed in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5):
        values = np.ones(90)
        values[17] -= changed
        lows.append(_interval(mean_of(values, clusters)).low)
    assert np.abs(np.diff(lows)).max() < 0.05
    assert lows[0] < 0.5


@pytest.mark.parametrize(
    ("value", "shape", "low", "high"),
    [(1.0, (100, 3, 20), 0.9, 1.0), (0.0, (100, 3, 20), 0.0, 0.1), (0.5, (300, 12, 12), 0.48, 0.52)],
)
def test_values_that_are_all_alike_have_an_interval_and_a_test(value, shape, low, high):
    clusters = _crossed(*shape)
    mean = mean_of(np.full(len(clusters.weights), value), clusters)
    found = _interval(mean)
    assert mean.value == value
    assert mean.problem is None and mean.is_assumed
    assert low < found.low <= value <= found.high < high or (found.low, found.high)[int(value)] == value
    assert low <= found.low and found.high <= high
    assert (_p(mean, 0.5) < 0.001) == (value != 0.5)


def test_mirrored_values_have_the_mirrored_interval():
    clusters = _crossed(40, 3, 9)
    values = (np.random.default_rng(3).random(120) < 0.9).astype(float)
    found, mirrored = _interval(mean_of(values, clusters)), _interval(mean_of(1 - values, clusters))
    assert (found.low, found.high) == pytest.approx((1 - mirrored.high, 1 - mirrored.low))


def test_differences_of_shares_use_the_same_rule_on_twice_the_range():
    clusters = _crossed(40, 3, 9)
    values = (np.random.default_rng(4).random(120) < 0.7).astype(float)
    plain = _interval(mean_of(values, clusters))
    double = _interval(mean_of(2 * values - 1, clusters, DIFFERENCES_OF_SHARES))
    assert (double.low, double.high) == pytest.approx((2 * plain.low - 1, 2 * plain.high - 1))


def test_points_have_the_symmetric_interval_unless_they_hardly_vary():
    clusters = _crossed()
    values = np.random.default_rng(5).normal(0.3, 2, 300).round()
    mean = mean_of(values, clusters, POINTS)
    headline = mean.headline.interval()
    assert headline is not None
    assert _interval(mean).low == pytest.approx(headline.low)
    assert _p(mean, 0.0) == pytest.approx(mean.headline.p_value(0.0))
    same = mean_of(np.ones(300), clusters, POINTS)
    assert same.is_assumed and 0.9 < _interval(same).low < 1.0 < _interval(same).high < 1.1
    assert _p(same, 0.0) < 0.001


@pytest.mark.parametrize(
    ("prompt", "reviewer"), [([0], [0]), ([0] * 6, range(6)), (range(6), [0] * 6)], ids=str
)
def test_one_prompt_or_reviewer_has_a_wide_interval_and_no_test(prompt, reviewer):
    prompt, reviewer = np.array(prompt), np.array(list(reviewer))
    values = np.tile([1.0, 0.0], 3)[: len(prompt)]
    mean = mean_of(values, Clusters(np.array(list(prompt)), reviewer, rating_weights(len(values))))
    found = _interval(mean)
    assert mean.problem is not None
    assert mean.p_value(0.5) is None
    assert 0 <= found.low < 0.3 and 0.7 < found.high <= 1


def test_no_values_have_no_interval():
    mean = mean_of(np.zeros(0), Clusters(*(np.zeros(0, dtype=np.int64),) * 2, np.zeros(0)))
    assert (mean.value, mean.interval(), mean.p_value(0.5), mean.se) == (None, None, None, None)
    assert mean.problem == "there are no ratings"


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 4), st.sampled_from([0.0, 0.5, 1.0])),
        min_size=1,
        max_size=25,
    ),
    level=st.sampled_from([0.8, 0.95, 0.999999]),
)
def test_every_set_of_scores_has_a_finite_interval_around_its_mean(rows, level):
    prompt, reviewer, values = (np.array(column) for column in zip(*rows, strict=True))
    mean = mean_of(values, Clusters(prompt, reviewer, prompt_weights(prompt)))
    found = _interval(mean, level)
    assert mean.value is not None
    assert 0 <= found.low <= mean.value <= found.high <= 1
    assert found.low < found.high


def test_a_linearised_intercept_is_weighted_least_squares():
    rng = np.random.default_rng(7)
    clusters = _crossed()
    values = crossed_values(rng, clusters.prompt, clusters.reviewer, 0.3, 0.2)
    side = np.where(rng.random(300) < 0.6, 0.5, -0.5)
    fit = sm.WLS(values, sm.add_constant(side), weights=clusters.weights).fit()
    assert clusters.weights @ intercept(values, side, clusters.weights) == pytest.approx(fit.params[0])
    constant = intercept(values, np.ones(300), clusters.weights)
    assert constant is values


def test_the_relative_change_has_the_jackknife_error_of_the_log_ratio():
    rng = np.random.default_rng(1)
    base = 5 + rng.standard_normal(400)
    other = base * 1.2 + rng.standard_normal(400)
    _, clusters = _independent(base)
    found = relative_change(base, other, clusters)
    without = np.log((other.sum() - other) / (base.sum() - base))
    jackknife = np.sqrt(399 / 400 * np.square(without - without.mean()).sum())
    assert found.log is not None and found.value is not None
    assert found.value == pytest.approx(other.sum() / base.sum() - 1)
    assert found.log.headline.clustered.se == pytest.approx(jackknife, rel=0.01)
    assert clusters.weights @ log_ratio(other, base, clusters.weights) == pytest.approx(found.log.value)
    inside = found.interval()
    assert inside is not None and -1 < inside.low < found.value < inside.high
    assert np.log1p(found.value) - np.log1p(inside.low) == pytest.approx(
        np.log1p(inside.high) - np.log1p(found.value)
    )


def test_there_is_no_relative_change_from_or_to_zero():
    _, clusters = _independent(np.zeros(6))
    for before, after in ((np.zeros(6), np.ones(6)), (np.ones(6), np.zeros(6))):
        found = relative_change(before, after, clusters)
        assert (found.value, found.interval()) == (None, None)


def test_pooling_removes_what_chance_explains():
    """Forty parts without a difference, and forty whose true scores have a standard deviation of ten points."""
    rng = np.random.default_rng(0)
    errors = np.full(40, 0.08)
    for between in (0.0, 0.1):
        truth = 0.6 + between * rng.standard_normal(40)
        raw = truth + errors * rng.standard_normal(40)
        found = pooled(raw, errors)
        assert found is not None
        values = np.array([value for value, _ in found])
        assert np.mean((values - truth) ** 2) < 0.7 * np.mean((raw - truth) ** 2)
        covered = [inside.low <= true <= inside.high for (_, inside), true in zip(found, truth, strict=True)]
        assert np.mean(covered) >= 0.85


def test_few_parts_are_not_pooled():
    assert pooled(np.array([0.4, 0.6]), np.array([0.1, 0.1])) is None
    alike = pooled(np.array([0.5, 0.5, 0.5]), np.array([0.1, 0.2, 0.1]))
    assert alike is not None and [value for value, _ in alike] == pytest.approx([0.5, 0.5, 0.5])


def test_the_chance_of_a_better_model_is_the_tail_of_the_test():
    clusters = _crossed()
    values = (np.random.default_rng(9).random(300) < 0.55).astype(float)
    mean = mean_of(values, clusters)
    above = mean.chance_above(0.5)
    assert above == pytest.approx(1 - _p(mean, 0.5) / 2)
    assert mean.chance_above(0.9) == pytest.approx(_p(mean, 0.9) / 2)
    mirrored = mean_of(1 - values, clusters).chance_above(0.5)
    assert above is not None and mirrored == pytest.approx(1 - above)
