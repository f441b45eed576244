"""A reduced calibration that can fail: the full one is `python -m benchmarks.stats_calibration`."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.calibration.coverage import Cell, measure
from benchmarks.calibration.picture import SHOWN, specification, table
from benchmarks.calibration.scenarios import (
    MARGIN,
    SCENARIOS,
    draw,
    effect_for,
    true_share_difference,
    true_win_score,
)
from benchmarks.stats_calibration import calibrate
from tests.services import ROOT

REPLICATES = 60
# Five in a hundred and four and a half Monte Carlo errors of 60 replicates.
BOUND = 18.0
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
    assert true_win_score(effect_for(0.5 + MARGIN)) == pytest.approx(0.5 + MARGIN)
    assert true_win_score(effect_for(0.8, tie_within=1.2), tie_within=1.2) == pytest.approx(0.8)
    assert 0 < true_share_difference(0.5) < 0.2


def scenario(name, **changes):
    return replace(next(one for one in SCENARIOS if one.name == name), **changes)


def mean_error(name, win_score, n=120):
    """How far the mean of `n` reviews is from the true win score, in standard errors."""
    made, rng = scenario(name), np.random.default_rng(3)
    reviews = [draw(made, effect_for(win_score, made.tie_within), rng) for _ in range(n)]
    assert {round(one.win_score, 6) for one in reviews} == {win_score}
    found = [one.ratings.win_score.mean() for one in reviews]
    return (np.mean(found) - win_score) / (np.std(found) / len(found) ** 0.5)


@pytest.mark.parametrize("name", [one.name for one in SCENARIOS if not one.drop_out])
def test_the_mean_of_many_reviews_is_the_true_value(name):
    assert abs(mean_error(name, 0.7)) < 4


def test_drop_out_after_losses_moves_the_mean():
    """Those who stay are those who prefer the candidate: a bias that no interval can include."""
    assert mean_error("drop-out", 0.5, n=400) > 4


def test_scenarios_have_what_their_names_say():
    rng = np.random.default_rng(3)
    drawn = {one.name: draw(one, 0.0, rng).ratings for one in SCENARIOS}
    assert (drawn["ties"].win_score == 0.5).mean() > 0.6
    assert drawn["few prompts"].n_prompts == 20
    assert np.bincount(drawn["dominant"].reviewer).max() > 90
    topics = drawn["topics"].group
    assert topics is not None and len(np.unique(topics)) == 10
    assert len(drawn["drop-out"]) < 290 == len(drawn["high"]) - 10
    assert draw(scenario("high", reviewers=2), 0.0, rng).ratings.n_reviewers == 2


def test_intervals_away_from_no_preference_cover_the_truth_in_both_tails():
    """With few replicates, and the symmetric interval as the negative control: it misses on one side."""
    found = measure(Cell(scenario("high", reviewers=5), 0.95), REPLICATES, seed=5)
    for name in ("win score", "criterion", "yes/no outcome"):
        assert found[name].covered >= 100 - BOUND
    assert found["win score"].above + found["win score"].below <= found["win score, symmetric"].above


@pytest.mark.skipif(not SHIPPED.exists(), reason="the full calibration is not in this checkout")
def test_the_shipped_calibration_reaches_its_goal():
    """The figures in the guide: at most 6 % false positives, except with drop-out, which no interval repairs. The log
    odds cost power where effects must be large to be seen, with few reviewers."""
    record = json.loads(Path(SHIPPED).read_text(encoding="utf-8"))
    assert record["replicates"] >= 1000
    assert record["results"].keys() == {one.name for one in SCENARIOS}
    kept = [by_test for name, by_test in record["results"].items() if name != "drop-out"]
    assert all(by_test["headline"]["false_positives"] <= 6 for by_test in kept)
    relative = record["headline_power_relative_to_reml"]
    assert min(relative[one.name] for one in SCENARIOS[:5]) >= 95
    assert min(relative.values()) >= 90
    assert len(specification(record)["data"]["values"]) == len(SHOWN) * len(record["results"])


def test_the_guide_has_the_shipped_figures():
    record = json.loads(Path(SHIPPED).read_text(encoding="utf-8"))
    guide = (ROOT / "docs/guides/why-your-binomial-test-lies.md").read_text(encoding="utf-8")
    assert table(record) in guide
