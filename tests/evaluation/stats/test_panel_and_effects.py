import itertools

import numpy as np
import pytest
from scipy import stats

from evaluation.stats import effects
from evaluation.stats.effects import (
    Alike,
    cliffs_delta,
    matched_rank_biserial,
    prompt_means,
    standardised_mean,
)
from evaluation.stats.panel import majorities, sign_flip, signed_rank
from tests.evaluation.stats.crossed import crossed_values, design, unchecked

effect_sizes = unchecked(effects.effect_sizes)

DARWIN = np.array([6.0, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75])
HOLLANDER_X = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
HOLLANDER_Y = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
SLEEP = np.array([-1.2, -2.4, -1.3, -1.3, 0.0, -1.0, -1.8, -0.8, -4.6, -1.4])


def effect_size(statistic, prompt, reviewer, *, seed):
    each = Alike(np.arange(len(prompt)), len(prompt), (statistic,))
    return effect_sizes([each], prompt, reviewer, seed=seed)[0]


def _value(statistic, n):
    return statistic(np.ones(n))


def test_darwins_plants():
    assert sign_flip(DARWIN, seed=0).p_value == pytest.approx(1726 / 32768)
    ranked = signed_rank(DARWIN)
    assert 120 - ranked.statistic == 24
    assert ranked.p_value == pytest.approx(0.041259765625)
    assert majorities(DARWIN).p_value == pytest.approx(0.00739, abs=1e-5)
    assert _value(matched_rank_biserial(DARWIN), 15) == pytest.approx(0.6)


def test_hollander_and_wolfe():
    found = signed_rank(HOLLANDER_X - HOLLANDER_Y)
    assert found.statistic == 40
    assert found.p_value / 2 == pytest.approx(0.01953, abs=1e-5)


def test_simulated_sign_flips_agree_with_all_of_them():
    differences = np.append(DARWIN, [10.0, -20.0])
    exact = np.mean(
        [
            abs(np.dot(signs, differences)) >= differences.sum() - 1e-9
            for signs in itertools.product((1, -1), repeat=17)
        ]
    )
    found = sign_flip(differences, seed=1)
    assert found.method == "20000 random sign flips"
    assert found.p_value == pytest.approx(exact, abs=0.006)
    assert found == sign_flip(differences, seed=1)


def test_many_prompts_use_the_normal_limit():
    differences = np.random.default_rng(0).normal(0.02, 1, 3000)
    found = sign_flip(differences, seed=0)
    assert found.p_value == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, rel=0.01)


@pytest.mark.parametrize("differences", [np.zeros(0), np.zeros(3), np.zeros(30), np.zeros(3000)])
def test_prompts_without_difference_give_p_one(differences):
    for test in (sign_flip(differences, seed=0), signed_rank(differences), majorities(differences)):
        assert test.p_value == 1.0


def test_dz_of_the_sleep_data():
    assert _value(standardised_mean(SLEEP), 10) == pytest.approx(-1.28456, abs=1e-5)


def test_cliffs_delta_by_all_pairs():
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 10, 40).astype(float), rng.integers(2, 10, 40).astype(float)
    expected = np.sign(a[:, None] - b).mean()
    assert _value(cliffs_delta(a, b), 40) == pytest.approx(expected)


def test_effects_change_sign_with_the_labels():
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 10, 50).astype(float), rng.integers(3, 10, 50).astype(float)
    assert _value(cliffs_delta(a, b), 50) == pytest.approx(-_value(cliffs_delta(b, a), 50))
    for measure in (standardised_mean, matched_rank_biserial):
        assert _value(measure(a - b), 50) == pytest.approx(-_value(measure(b - a), 50))


def test_counting_a_rating_twice_is_repeating_it():
    rng = np.random.default_rng(1)
    a, b = rng.integers(1, 6, 30).astype(float), rng.integers(1, 6, 30).astype(float)
    times = rng.integers(0, 3, 30)
    rows = np.repeat(np.arange(30), times)
    for measure in (standardised_mean, matched_rank_biserial):
        expected = _value(measure((a - b)[rows]), len(rows))
        assert measure(a - b)(times.astype(float)) == pytest.approx(expected)
    expected = _value(cliffs_delta(a[rows], b[rows]), len(rows))
    assert cliffs_delta(a, b)(times.astype(float)) == pytest.approx(expected)


def test_pigeonhole_interval_is_wider_than_resampling_ratings():
    """Reviewers and prompts both vary: an interval from ratings alone would be too narrow."""
    rng = np.random.default_rng(3)
    prompt, reviewer = design(rng, 60, 3, 12)
    values = crossed_values(rng, prompt, reviewer, 0.3, 0.3)
    each = np.arange(len(values))
    both = effect_size(standardised_mean(values), prompt, reviewer, seed=0).interval
    alone = effect_size(standardised_mean(values), each, each, seed=0).interval
    assert both.high - both.low > 1.3 * (alone.high - alone.low)


def test_counting_like_ratings_together_changes_no_digit():
    rng = np.random.default_rng(4)
    prompt, reviewer = design(rng, 40, 3, 10)
    score = rng.integers(1, 6, len(prompt)).astype(float)
    given = rng.random(len(prompt)) < 0.8
    values, code = np.unique(score[given], return_inverse=True)
    together = np.full(len(score), -1)
    together[given] = code
    apart = np.full(len(score), -1)
    apart[given] = np.arange(given.sum())
    found = effect_sizes(
        [
            Alike(together, len(values), (standardised_mean(values),)),
            Alike(apart, int(given.sum()), (standardised_mean(score[given]),)),
        ],
        prompt,
        reviewer,
        seed=0,
        replicates=60,
    )
    assert found[0] == found[1]
    assert found[0].interval is not None


def test_effects_without_data_or_variation_do_not_exist():
    nothing = np.zeros(0)
    codes = np.zeros(0, dtype=np.int64)
    assert effect_size(standardised_mean(nothing), codes, codes, seed=0).value is None
    same = np.ones(5)
    found = effect_size(standardised_mean(same), np.arange(5), np.arange(5), seed=0)
    assert (found.value, found.interval) == (None, None)
    assert effect_size(cliffs_delta(same, same), np.zeros(5, dtype=np.int64), np.arange(5), seed=0).value == 0


def test_prompt_means():
    values, prompt = np.array([1.0, 3.0, 5.0]), np.array([7, 7, 2])
    assert prompt_means(values, prompt) == pytest.approx([5.0, 2.0])
    assert len(prompt_means(np.zeros(0), np.zeros(0, dtype=np.int64))) == 0
