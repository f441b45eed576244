"""A reduced calibration that can fail: the full one is `python -m benchmarks.stats_calibration`."""

import pytest

from benchmarks.stats_calibration import SCENARIOS, calibrate

REPLICATES = 200
# Five standard errors of a true 5 % over the replicates: 5 + 5 · 1.5.
BOUND = 12.5


@pytest.fixture(scope="module", params=["expert", "few reviewers"])
def figures(request):
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == request.param)
    return calibrate(scenario, REPLICATES, seed=7)


def test_the_headline_keeps_its_level(figures):
    assert figures["headline"].false_positives <= BOUND
    assert figures["headline"].coverage_with_effect >= 100 - BOUND


def test_the_headline_keeps_most_of_the_mixed_models_power(figures):
    assert figures["headline"].power >= 0.85 * figures["mixed model (REML)"].power
    assert figures["headline"].power > 20


def test_tests_over_all_ratings_fail_the_same_bound(figures):
    """The negative control: at these replicates the bound tells an honest test from a naive one."""
    assert figures["paired t, all ratings"].false_positives > BOUND
