"""Multiplicity, exact intervals, boundaries, verdict rule, power: pure arithmetic against published values."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from evaluation.stats.equivalence import Evidence, decide
from evaluation.stats.estimate import Estimate, Interval
from evaluation.stats.multiplicity import benjamini_hochberg, gatekept, holm
from evaluation.stats.paired import wilson
from evaluation.stats.power import (
    CROWD,
    EXPERTS,
    Design,
    Variation,
    minimum_detectable_effect,
    pairs_needed,
    power,
    prompts_needed,
    reviewer_floor,
    standard_error,
)
from evaluation.stats.sequential import classical_constant, crossing_probability, spending_boundaries
from tests.evaluation.stats.crossed import unchecked

BH_1995 = np.array(
    [
        *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
        *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0),
    ]
)


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_rejections_of_the_1995_example():
    assert (benjamini_hochberg(BH_1995) <= 0.05).sum() == 4
    assert (holm(BH_1995) <= 0.05).sum() == 3


@pytest.mark.parametrize(("ours", "theirs"), [(holm, "holm"), (benjamini_hochberg, "fdr_bh")])
def test_adjusted_values_equal_statsmodels(ours, theirs):
    p = np.random.default_rng(0).random(30) ** 3
    assert ours(p) == pytest.approx(multipletests(p, method=theirs)[1])


def test_the_gate_holds_secondary_claims_back():
    assert gatekept(0.2, np.array([0.001, 0.5])) == pytest.approx([0.2, 0.5])
    assert gatekept(0.001, np.array([0.01, 0.02])) == pytest.approx([0.02, 0.02])
    assert len(gatekept(0.5, np.zeros(0))) == 0


@pytest.mark.parametrize("bad", [[1.2], [-0.1], [np.nan]])
def test_no_p_value_outside_its_range(bad):
    with pytest.raises(ValueError, match="from 0 to 1"):
        holm(np.array(bad))


def test_wilsons_interval_of_81_in_263():
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


@pytest.mark.parametrize("n", [1, 7, 40])
def test_wilsons_interval_equals_statsmodels_everywhere(n):
    for k in range(n + 1):
        assert wilson(k, n) == pytest.approx(tuple(proportion_confint(k, n, method="wilson")), abs=1e-9)


@pytest.mark.parametrize(
    ("looks", "shape", "constant"),
    [
        (6, "obrien_fleming", 2.053),
        (6, "pocock", 2.453),
        (20, "obrien_fleming", 2.126),
        (20, "pocock", 2.672),
    ],
)
def test_classical_constants(looks, shape, constant):
    assert classical_constant(looks, shape) == pytest.approx(constant, abs=6e-4)


def test_spending_bounds_equal_the_published_five_looks():
    """Lan & DeMets O'Brien–Fleming-type bounds at equal fifths, two-sided .05, as in the R package ldbounds."""
    bounds = spending_boundaries([0.2, 0.4, 0.6, 0.8, 1.0])
    assert bounds.z == pytest.approx([4.8769, 3.3570, 2.6803, 2.2898, 2.0310], abs=2e-4)
    assert bounds.spent[-1] == pytest.approx(0.05)


@pytest.mark.parametrize("fractions", [[1.0], [0.1, 0.15, 0.9, 1.0], [0.01, 1.0], [0.5, 0.505, 1.0]])
def test_bounds_at_any_fractions_spend_exactly_alpha(fractions):
    bounds = spending_boundaries(fractions, 0.05)
    assert crossing_probability(fractions, bounds.z) == pytest.approx(0.05, abs=1e-6)
    assert np.isfinite(bounds.z).all()


def test_one_look_is_the_ordinary_test():
    bounds = spending_boundaries([1.0])
    assert bounds.z[0] == pytest.approx(stats.norm.isf(0.025))
    assert bounds.nominal_level(1) == pytest.approx(0.05)


def test_bounds_hold_in_a_simulated_walk():
    fractions = np.array([0.3, 0.45, 0.8, 1.0])
    bounds = spending_boundaries(fractions.tolist())
    steps = np.random.default_rng(0).standard_normal((200_000, 4)) * np.sqrt(np.diff([0, *fractions]))
    z = np.cumsum(steps, axis=1) / np.sqrt(fractions)
    assert (np.abs(z) >= bounds.z).any(1).mean() == pytest.approx(0.05, abs=0.002)


@pytest.mark.parametrize("bad", [[], [0.0, 1.0], [0.5, 0.5], [0.5, 1.1], [0.9, 0.4]])
def test_fractions_that_make_no_looks_are_refused(bad):
    with pytest.raises(ValueError, match="look"):
        spending_boundaries(bad)


@pytest.mark.parametrize(
    ("value", "p", "interval", "inner", "verdict"),
    [
        (0.6, 0.01, (0.53, 0.67), (0.54, 0.66), "better"),
        (0.4, 0.01, (0.33, 0.47), (0.34, 0.46), "worse"),
        (0.51, 0.6, (0.45, 0.56), (0.46, 0.549), "equivalent"),
        (0.53, 0.3, (0.46, 0.60), (0.47, 0.59), "not_worse"),
        (0.53, 0.6, (0.40, 0.66), (0.42, 0.64), "inconclusive"),
        (0.515, 0.01, (0.505, 0.525), (0.507, 0.523), "better"),
        (0.50, 1.0, (0.45, 0.55), (0.45, 0.55), "inconclusive"),
    ],
)
def test_verdicts(value, p, interval, inner, verdict):
    evidence = Evidence(value, p, Interval(*interval), Interval(*inner))
    assert decide(evidence, null=0.5, margin=0.05, alpha=0.05) == verdict


def test_no_information_is_inconclusive():
    assert decide(Evidence(0.9, None, None, None), null=0.5, margin=0.05, alpha=0.05) == "inconclusive"


def test_a_margin_of_zero_is_refused():
    with pytest.raises(ValueError, match="margin"):
        decide(Evidence(0.5, 1.0, None, None), null=0.5, margin=0.0, alpha=0.05)


def test_an_estimate_reproduces_the_sleep_data():
    """R's `sleep`: ten pairs; as one rating per prompt and reviewer it is the paired t test."""
    extra = np.array([-1.2, -2.4, -1.3, -1.3, 0.0, -1.0, -1.8, -0.8, -4.6, -1.4])
    se = float(extra.std(ddof=1) / np.sqrt(10))
    found = unchecked(Estimate)(float(extra.mean()), se, 9.0, 10, 10, 10)
    assert found.value / found.se == pytest.approx(-4.0621, abs=1e-4)
    assert found.p_value() == pytest.approx(0.002833, abs=1e-6)
    assert (found.interval().low, found.interval().high) == pytest.approx((-2.45989, -0.70011), abs=1e-5)
    with pytest.raises(ValueError, match="level"):
        found.interval(1.0)


@pytest.mark.parametrize(("dz", "n"), [(0.5, 34), (0.3, 90), (0.2, 199)])
def test_pairs_needed_for_a_paired_t_test(dz, n):
    assert pairs_needed(dz) == n


def test_standard_error_by_hand():
    design = Design(prompts=100, overlap=3, reviewers=20)
    expected = 0.45 * np.sqrt(0.3 / 100 + 0.185 / 20 + 0.515 / 300)
    assert standard_error(design, CROWD) == pytest.approx(expected)


def test_the_detectable_effect_has_the_wanted_power():
    design = Design(prompts=80, overlap=2, reviewers=15)
    effect = minimum_detectable_effect(design, EXPERTS, wanted=0.9)
    assert power(effect, design, EXPERTS) == pytest.approx(0.9, abs=1e-6)
    assert power(10 * effect, design, EXPERTS) == pytest.approx(1.0)


def test_prompts_needed_is_the_smallest_number():
    needed = prompts_needed(0.12, EXPERTS, overlap=3, reviewers=20)
    assert needed is not None
    assert power(0.12, Design(needed, 3, 20), EXPERTS) >= 0.8
    assert power(0.12, Design(needed - 1, 3, 20), EXPERTS) < 0.8


def test_no_number_of_prompts_replaces_reviewers():
    assert prompts_needed(0.12, CROWD, overlap=3, reviewers=8) is None
    assert reviewer_floor(0.12, CROWD) > 8


def test_new_prompts_beat_repeats_at_the_same_number_of_ratings():
    wide, deep = Design(300, 1, 20), Design(100, 3, 20)
    assert standard_error(wide, EXPERTS) < standard_error(deep, EXPERTS)


def test_impossible_designs_are_refused():
    with pytest.raises(ValueError, match="overlap"):
        Design(1, 1, 5)
    with pytest.raises(ValueError, match="more ratings"):
        Design(10, 6, 5)
    with pytest.raises(ValueError, match="shares"):
        Variation(1.0, 0.7, 0.5)
