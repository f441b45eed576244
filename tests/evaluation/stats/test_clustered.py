import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.stats import clustered
from evaluation.stats.clusters import Factor
from evaluation.stats.weights import choose_weights, prompt_weights, rating_weights
from tests.evaluation.stats.crossed import crossed_values, design, of_arrays

clustered_mean = of_arrays(clustered.clustered_mean)


def _data(seed, prompts=30, overlap=3, reviewers=9, skewed=False):
    rng = np.random.default_rng(seed)
    prompt, reviewer = design(rng, prompts, overlap, reviewers, skewed=skewed)
    return crossed_values(rng, prompt, reviewer, 0.3, 0.2) + 0.2, prompt, reviewer


def _sparse(seed, *shape):
    """The same with 30 % of the ratings left out at random."""
    values, prompt, reviewer = _data(seed, *shape)
    keep = np.random.default_rng(seed).random(len(values)) < 0.7
    return values[keep], prompt[keep], reviewer[keep]


@pytest.mark.parametrize("seed", range(5))
def test_plain_form_equals_statsmodels_over_ratings(seed):
    values, prompt, reviewer = _sparse(seed)
    fit = sm.OLS(values, np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": np.column_stack([prompt, reviewer])}
    )
    found = clustered_mean(values, prompt, reviewer, weights=rating_weights(len(values)), method="plain")
    assert found.value == pytest.approx(fit.params[0])
    assert found.se == pytest.approx(fit.bse[0], rel=1e-10)
    assert found.df == min(len(np.unique(prompt)), len(np.unique(reviewer))) - 1


@pytest.mark.parametrize("seed", range(3))
def test_plain_form_equals_statsmodels_with_prompt_weights(seed):
    values, prompt, reviewer = _sparse(seed)
    fit = sm.WLS(values, np.ones(len(values)), weights=prompt_weights(prompt)).fit(
        cov_type="cluster", cov_kwds={"groups": np.column_stack([prompt, reviewer])}
    )
    found = clustered_mean(values, prompt, reviewer, method="plain")
    assert found.value == pytest.approx(fit.params[0])
    assert found.se == pytest.approx(fit.bse[0], rel=1e-10)


def test_jackknife_equals_leaving_clusters_out_one_by_one():
    values, prompt, reviewer = _sparse(3)
    weights = prompt_weights(prompt)
    mean = weights @ values

    def by(group):
        groups = np.unique(group)
        without = [np.average(values[group != g], weights=weights[group != g]) - mean for g in groups]
        return (len(groups) - 1) / len(groups) * np.square(without).sum()

    expected = by(prompt) + by(reviewer) - by(np.arange(len(values)))
    found = clustered_mean(values, prompt, reviewer)
    assert found.se == pytest.approx(np.sqrt(expected), rel=1e-10)


def test_effective_df_is_g_minus_one_when_clusters_are_equal():
    assert Factor(np.arange(8), np.full(8, 1 / 8)).effective_df == pytest.approx(7)


def test_effective_df_equals_its_matrix_definition():
    shares = np.array([0.4, 0.3, 0.2, 0.05, 0.05])
    center = np.eye(5) - np.outer(np.ones(5), shares)
    form = center.T @ np.diag((shares / (1 - shares)) ** 2) @ center
    expected = np.trace(form) ** 2 / np.trace(form @ form)
    assert Factor(np.arange(5), shares).effective_df == pytest.approx(expected)
    assert expected < 4


def test_a_balanced_checkerboard_keeps_a_positive_variance():
    """Prompt and reviewer means are all equal, so the subtraction alone would be negative."""
    prompt, reviewer = np.divmod(np.arange(16), 4)
    values = ((prompt + reviewer) % 2).astype(float)
    found = clustered_mean(values, prompt, reviewer)
    assert found.value == 0.5
    assert found.se == pytest.approx(0.5 / np.sqrt(16), rel=0.1)


@pytest.mark.parametrize(
    ("values", "prompt", "reviewer", "problem"),
    [
        ([], [], [], "there are no ratings"),
        ([1.0, 0.0], [0, 0], [0, 1], "there is only one prompt"),
        ([1.0, 0.0], [0, 1], [0, 0], "there is only one reviewer"),
        ([0.1, 0.1, 0.1], [0, 1, 2], [0, 1, 2], "all values are the same"),
    ],
)
def test_data_without_information_about_error_say_why(values, prompt, reviewer, problem):
    codes = (np.array(prompt, dtype=np.int64), np.array(reviewer, dtype=np.int64))
    found = clustered_mean(np.array(values, dtype=float), *codes)
    assert found.problem == problem
    assert found.interval() is None
    assert found.p_value() is None


def test_invalid_arrays_are_refused():
    codes = np.arange(2)
    with pytest.raises(ValueError, match="same length"):
        clustered_mean(np.zeros(3), codes, codes)
    with pytest.raises(ValueError, match="finite"):
        clustered_mean(np.array([0.0, np.nan]), codes, codes)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), skewed=st.booleans())
def test_order_and_labels_do_not_matter(seed, skewed):
    values, prompt, reviewer = _sparse(seed, 15, 2, 6, skewed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(values))
    names = rng.permutation(1000)
    weights = choose_weights(prompt, reviewer).values
    shuffled = choose_weights(names[prompt[order]], names[reviewer[order]]).values
    first = clustered_mean(values, prompt, reviewer, weights=weights)
    second = clustered_mean(values[order], names[prompt[order]], names[reviewer[order]], weights=shuffled)
    assert first.value == pytest.approx(second.value)
    assert first.se == pytest.approx(second.se)
    assert first.df == pytest.approx(second.df)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_swapping_prompts_and_reviewers_changes_nothing_but_weights(seed):
    values, prompt, reviewer = _sparse(seed, 15, 2, 6)
    weights = rating_weights(len(values))
    first = clustered_mean(values, prompt, reviewer, weights=weights)
    second = clustered_mean(values, reviewer, prompt, weights=weights)
    assert first.se == pytest.approx(second.se)
    assert first.df == pytest.approx(second.df)
