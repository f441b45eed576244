import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
import statsmodels.formula.api as smf

from evaluation.stats import headline, mixed
from evaluation.stats.weights import prompt_weights, rating_weights
from tests.evaluation.stats.crossed import crossed_values, design, of_arrays

mixed_mean = of_arrays(mixed.mixed_mean)
headline_mean = of_arrays(headline.headline_mean)


def _data(seed=0, prompts=25, overlap=3, reviewers=10, shares=(0.4, 0.2)):
    rng = np.random.default_rng(seed)
    prompt, reviewer = design(rng, prompts, overlap, reviewers)
    return crossed_values(rng, prompt, reviewer, *shares) + 0.3, prompt, reviewer


def _deviance(values, prompt, reviewer, components):
    """The REML deviance from its definition with the n × n covariance."""
    n = len(values)
    residual, of_prompt, of_reviewer = components
    cov = (
        residual * np.eye(n)
        + of_prompt * (prompt[:, None] == prompt)
        + of_reviewer * (reviewer[:, None] == reviewer)
    )
    inverse = np.linalg.inv(cov)
    weight = inverse.sum()
    mean = inverse.sum(0) @ values / weight
    left = values - mean
    return np.linalg.slogdet(cov)[1] + np.log(weight) + left @ inverse @ left, mean, 1 / weight


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_definition_and_is_its_minimum(seed):
    values, prompt, reviewer = _data(seed)
    fit = mixed_mean(values, prompt, reviewer, weights=rating_weights(len(values)))
    at = np.array([fit.residual_variance, fit.prompt_variance, fit.reviewer_variance])
    least, mean, variance = _deviance(values, prompt, reviewer, at)
    assert fit.mean.value == pytest.approx(mean)
    assert fit.mean.se == pytest.approx(np.sqrt(variance))
    for change in (0.97, 1.03):
        for which in range(3):
            other = at.copy()
            other[which] *= change
            assert _deviance(values, prompt, reviewer, other)[0] >= least - 1e-6


def test_equals_statsmodels_crossed_form():
    values, prompt, reviewer = _data(1)
    frame = pd.DataFrame({"d": values, "p": prompt, "r": reviewer, "all": 1})
    with np.errstate(all="ignore"):
        reference = smf.mixedlm(
            "d ~ 1", frame, groups="all", vc_formula={"p": "0 + C(p)", "r": "0 + C(r)"}
        ).fit(reml=True)
    fit = mixed_mean(values, prompt, reviewer, weights=rating_weights(len(values)))
    assert fit.mean.value == pytest.approx(reference.params["Intercept"], abs=1e-3)
    assert fit.mean.se == pytest.approx(reference.bse["Intercept"], rel=0.01)
    assert fit.prompt_variance == pytest.approx(reference.vcomp[0], rel=0.05)
    assert fit.reviewer_variance == pytest.approx(reference.vcomp[1], rel=0.05)


def test_a_complete_balanced_design_has_the_anova_solution():
    rng = np.random.default_rng(4)
    prompt, reviewer = np.divmod(np.arange(20 * 6), 6)
    values = crossed_values(rng, prompt, reviewer, 0.4, 0.2)
    table = values.reshape(20, 6)
    mean = table.mean()
    rows, columns = table.mean(1), table.mean(0)
    ms_prompt = 6 * np.square(rows - mean).sum() / 19
    ms_reviewer = 20 * np.square(columns - mean).sum() / 5
    rest = table - rows[:, None] - columns + mean
    ms_rest = np.square(rest).sum() / 95
    fit = mixed_mean(values, prompt, reviewer, weights=prompt_weights(prompt))
    assert fit.residual_variance == pytest.approx(ms_rest, rel=1e-3)
    assert fit.prompt_variance == pytest.approx((ms_prompt - ms_rest) / 6, rel=1e-3)
    assert fit.reviewer_variance == pytest.approx((ms_reviewer - ms_rest) / 20, rel=1e-3)
    variance = (ms_prompt + ms_reviewer - ms_rest) / 120
    # Satterthwaite's df of that combination of independent mean squares.
    df = (ms_prompt + ms_reviewer - ms_rest) ** 2 / (ms_prompt**2 / 19 + ms_reviewer**2 / 5 + ms_rest**2 / 95)
    for estimate in (fit.mean, fit.weighted):
        assert estimate.se == pytest.approx(np.sqrt(variance), rel=1e-3)
        assert estimate.df == pytest.approx(df, rel=0.01)


def test_more_reviewers_than_prompts_is_the_same_model():
    values, prompt, reviewer = _data(2)
    weights = rating_weights(len(values))
    one = mixed_mean(values, prompt, reviewer, weights=weights)
    other = mixed_mean(values, reviewer, prompt, weights=weights)
    assert one.mean.se == pytest.approx(other.mean.se, rel=1e-3)
    assert one.prompt_variance == pytest.approx(other.reviewer_variance, rel=1e-2)


def test_values_may_have_any_scale_and_origin():
    values, prompt, reviewer = _data(3)
    weights = prompt_weights(prompt)
    plain = mixed_mean(values, prompt, reviewer, weights=weights)
    moved = mixed_mean(1e4 + 50 * values, prompt, reviewer, weights=weights)
    assert moved.mean.value == pytest.approx(1e4 + 50 * plain.mean.value)
    assert moved.mean.se == pytest.approx(50 * plain.mean.se, rel=1e-4)
    assert moved.prompt_share == pytest.approx(plain.prompt_share, abs=1e-3)


def test_without_clustering_the_error_is_the_ordinary_one():
    rng = np.random.default_rng(0)
    prompt, reviewer = design(rng, 60, 3, 12)
    values = rng.standard_normal(180)
    values -= sum(np.bincount(g, values)[g] / np.bincount(g)[g] for g in (prompt, reviewer))
    fit = mixed_mean(values, prompt, reviewer, weights=rating_weights(180))
    assert fit.prompt_share == pytest.approx(0, abs=1e-6)
    assert fit.reviewer_share == pytest.approx(0, abs=1e-6)
    assert fit.weighted.se == pytest.approx(values.std(ddof=1) / np.sqrt(180))


@pytest.mark.parametrize(
    ("values", "prompt", "reviewer"),
    [
        ([1.0, 2, 3], [0, 1, 2], [0, 1, 2]),
        ([1.0, 2, 3, 4], [0, 0, 0, 0], [0, 1, 2, 3]),
        ([1.0, 2, 3, 4], [0, 1, 2, 3], [0, 0, 0, 0]),
        ([1.0, 1, 1, 1], [0, 0, 1, 1], [0, 1, 0, 1]),
        ([1.0, 1, 2, 2], [0, 0, 1, 1], [0, 1, 0, 1]),
    ],
)
def test_what_cannot_be_fitted_is_none(values, prompt, reviewer):
    weights = rating_weights(len(values))
    assert mixed_mean(np.array(values), np.array(prompt), np.array(reviewer), weights=weights) is None


def test_a_single_rating_per_prompt_and_reviewer_still_answers():
    values = np.random.default_rng(0).standard_normal(12)
    codes = np.arange(12)
    found = headline_mean(values, codes, codes, weights=rating_weights(12))
    ordinary = values.std(ddof=1) / np.sqrt(12)
    assert found.clustered.se == pytest.approx(ordinary, rel=1e-6)
    assert found.interval().high - found.interval().low >= 2 * 1.96 * ordinary


def test_the_headline_is_never_narrower_than_the_model_and_moves_toward_a_wider_clustered_interval():
    seen = set()
    for seed in range(12):
        values, prompt, reviewer = _data(seed)
        found = headline_mean(values, prompt, reviewer, weights=prompt_weights(prompt))
        model, clustered, headline = (
            (e.interval().high - e.interval().low) / 2 for e in (found.mixed.weighted, found.clustered, found)
        )
        assert headline**2 == pytest.approx(model**2 + max(0, clustered**2 - model**2) / 3)
        seen.add(clustered > model)
    assert seen == {True, False}


def test_p_value_and_interval_of_the_headline_say_the_same():
    for seed in range(12):
        values, prompt, reviewer = _data(seed)
        found = headline_mean(values, prompt, reviewer, weights=prompt_weights(prompt))
        both = found.clustered.p_value(), found.mixed.weighted.p_value()
        assert min(both) - 1e-12 <= found.p_value() <= max(both) + 1e-12
        for level in (0.5, 0.9, 0.95, 0.999):
            interval = found.interval(level)
            assert found.p_value(interval.low) == pytest.approx(1 - level, rel=1e-6)
            assert found.p_value(interval.high) == pytest.approx(1 - level, rel=1e-6)
        assert 0 <= found.p_value(1e9) < 1e-12
        assert found.p_value(found.value) == pytest.approx(1)


def _unbalanced(seed):
    """Ratings of a small crossed panel with no true effects: components near their boundary."""
    rng = np.random.default_rng(seed)
    prompt = np.repeat(np.arange(12), 3)
    reviewer = np.concatenate([rng.choice(6, 3, replace=False) for _ in range(12)])
    return np.round(rng.normal(size=36), 1), prompt, reviewer


@pytest.mark.parametrize("seed", range(12))
def test_the_fit_is_the_minimum_and_no_boundary_it_was_stuck_on(seed):
    values, prompt, reviewer = _unbalanced(seed)
    design = mixed._design((values - values.mean()) / values.std(), prompt, reviewer)

    def deviance(a, b):
        at = mixed._terms(design, a, b)
        return (design.n - 1) * np.log(at.rss) + at.logs

    grid = [0.0, 0.01, 0.03, 0.1, 0.2, 0.4, 0.8, 2.0]
    found = mixed._fit(design)
    assert found is not None
    assert deviance(*found) <= min(deviance(a, b) for a in grid for b in grid) + 1e-6
