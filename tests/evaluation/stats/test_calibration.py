"""A reduced calibration that can fail: the full one is `python -m benchmarks.stats_calibration`."""

import json
from pathlib import Path

import pytest

from benchmarks.calibration.picture import SHOWN, specification
from benchmarks.calibration.scenarios import (
    MARGIN,
    SCENARIOS,
    effect_at_margin,
    true_share_difference,
    true_win_score,
)
from benchmarks.stats_calibration import calibrate
from tests.services import ROOT

REPLICATES = 120
# Five in a hundred and four and a half Monte Carlo errors of 120 replicates.
BOUND = 14.0
SHIPPED = ROOT / "docs/pictures/calibration.json"
REPORTED = (
    "headline",
    "criterion",
    "relative change",
    "yes/no outcome",
    "any criterion, behind the gate",
    "six looks, O'Brien–Fleming",
    "confidence sequence",
    "left side preferred",
    "adjusted for the side",
    "any of four slices, adjusted",
    "one slice",
    "equivalence (TOST)",
    "not worse (one-sided 2.5 %)",
)


@pytest.fixture(scope="module")
def figures():
    few = next(scenario for scenario in SCENARIOS if scenario.name == "few reviewers")
    return calibrate(few, REPLICATES, seed=7)


@pytest.mark.parametrize("name", REPORTED)
def test_what_the_report_shows_keeps_its_level(figures, name):
    found = figures[name]
    assert found.false_positives <= BOUND
    for coverage in (found.coverage, found.coverage_with_effect):
        assert coverage is None or coverage >= 100 - BOUND


def test_the_headline_keeps_most_of_the_mixed_models_power(figures):
    assert figures["headline"].power >= 0.85 * figures["mixed model (REML)"].power
    assert figures["headline"].power > 20
    assert figures["six looks, O'Brien–Fleming"].power > 20


@pytest.mark.parametrize("name", ["binomial, all ratings", "paired t, all ratings", "Wilcoxon, all ratings"])
def test_tests_that_the_report_does_not_make_fail_the_same_bound(figures, name):
    """The negative control: at these replicates the bound tells an honest test from a naive one."""
    assert figures[name].false_positives > BOUND


def test_the_true_values_are_those_of_the_latent_effects():
    assert true_win_score(0.0) == 0.5
    assert true_win_score(effect_at_margin()) == pytest.approx(0.5 + MARGIN)
    assert 0 < true_share_difference(0.5) < 0.2


@pytest.mark.skipif(not SHIPPED.exists(), reason="the full calibration is not in this checkout")
def test_the_shipped_calibration_reaches_its_goal():
    """The figures in the guide: at most 6 % in all seven columns with at least 95 % of REML's power."""
    record = json.loads(Path(SHIPPED).read_text(encoding="utf-8"))
    assert record["replicates"] >= 2000
    assert list(record["results"]) == [scenario.name for scenario in SCENARIOS]
    assert all(one["headline"]["false_positives"] <= 6 for one in record["results"].values())
    assert min(record["headline_power_relative_to_reml"].values()) >= 95
    assert len(specification(record)["data"]["values"]) == len(SHOWN) * len(SCENARIOS)
