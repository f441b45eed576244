"""The combination of planned stages: its bounds, its consistency, and its level by simulation."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from benchmarks import extensions
from benchmarks.calibration.scenarios import SCENARIOS
from evaluation.stats.plan import Plan
from evaluation.stats.primary import win_score
from evaluation.stats.ratings import WIN
from evaluation.stats.report import analyse
from evaluation.stats.staged import confirmation_cost, extensions_cost
from evaluation.stats.stages import Combined, Stage, more_ratings, stage_bound, stage_level, stage_of
from tests.evaluation.stats.crossed import from_outcomes, make_ratings


def _stage(log_odds, se=0.2, campaign="First"):
    return Stage(campaign, log_odds, se, 120, 40, 12)


@pytest.mark.parametrize(
    ("extensions_", "bound", "level"), [(0, 1.960, 0.05), (1, 2.178, 0.0294), (2, 2.289, 0.0221)]
)
def test_bounds_are_pococks(extensions_, bound, level):
    assert stage_bound(extensions_) == pytest.approx(bound, abs=5e-4)
    assert stage_level(extensions_) == pytest.approx(level, abs=5e-5)


def test_independent_stages_keep_the_level_and_it_is_used_up():
    z = np.random.default_rng(1).standard_normal((400_000, 3))
    sums = np.abs(np.cumsum(z, axis=1)) / np.sqrt([1, 2, 3])
    for number in (1, 2):
        claimed = (sums[:, : number + 1] >= stage_bound(number)).any(axis=1).mean()
        assert claimed == pytest.approx(0.05, abs=0.002)


def test_cost_in_ratings_is_that_of_the_stricter_level():
    for number in (1, 2):
        shift = stats.norm.isf(0.025) + stats.norm.isf(0.2)
        power = stats.norm.sf(stage_bound(number) - shift * more_ratings(number) ** 0.5)
        assert power == pytest.approx(0.8, abs=1e-3)
    assert "2.9 %" in extensions_cost(1) and "16 % more ratings" in extensions_cost(1)
    assert "9.8 %" in confirmation_cost(1) and "14.3 %" in confirmation_cost(2)


@pytest.mark.parametrize("shift", [-0.5, 0.0, 0.2, 0.5])
def test_one_stage_is_significant_exactly_where_its_statistic_reaches_the_bound(shift):
    score = win_score(make_ratings(shift=shift))
    bound = stage_bound(1)
    one = stage_of(score.mean, bound, campaign="", sizes=(1, 1, 1))
    assert one is not None
    p = score.p_value()
    assert p is not None and (p <= stage_level(1)) == (abs(one.z) >= bound)
    shown = score.interval(1 - stage_level(1))
    assert shown is not None
    alone = Combined((one,), bound).interval
    assert (alone.low, alone.high) == pytest.approx((shown.low, shown.high), abs=1e-6)


def test_interval_test_and_estimate_over_stages_agree():
    rng, bound = np.random.default_rng(2), stage_bound(2)
    for _ in range(200):
        stages = tuple(_stage(rng.normal(0, 0.4), rng.uniform(0.1, 0.3)) for _ in range(rng.integers(1, 4)))
        found = Combined(stages, bound)
        outside = not found.interval.low < 0.5 < found.interval.high
        assert outside == (abs(found.z) >= bound) == (found.p_value <= stage_level(2))
        assert found.interval.low < found.win_score < found.interval.high
        low = np.log(found.interval.low / (1 - found.interval.low))
        moved = tuple(replace(one, log_odds=one.log_odds - low) for one in stages)
        assert Combined(moved, bound).z == pytest.approx(bound)


def test_a_report_over_two_stages_claims_what_neither_shows_alone():
    second = make_ratings(shift=0.35)
    alone = analyse(second, Plan(extensions=1))
    assert alone.stages is not None and alone.verdict in ("inconclusive", "not_worse")
    this = alone.stages.each[0]
    first = _stage(2.1 * this.se, this.se)
    assert max(first.z, this.z) < stage_bound(1)
    both = analyse(second, Plan(extensions=1, earlier=(first,)))
    assert both.stages is not None and both.stages.z == pytest.approx((first.z + this.z) / 2**0.5)
    assert both.verdict == "better" and both.sentence.startswith("Over stages 1 and 2 combined, ")
    assert both.primary == alone.primary
    assert not both.stages.extensible and alone.stages.extensible


def test_a_stage_without_a_test_or_enough_reviewers_claims_nothing():
    strong = (_stage(3.0),)
    for few in (
        from_outcomes([]),
        from_outcomes([(0, 0, WIN)]),
        make_ratings(prompts=30, reviewers=4, shift=0.9),
    ):
        found = analyse(few, Plan(extensions=1, earlier=strong))
        assert found.verdict == "inconclusive" and found.stages is not None and not found.stages.extensible
        assert found.to_json()["stages"] is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"extensions": 3},
        {"extensions": -1},
        {"extensions": 1, "looks": (0.5, 1.0)},
        {"extensions": 1, "watch_se": 0.02},
        {"earlier": (_stage(0.1),)},
    ],
)
def test_plans_that_cannot_be_extended_are_refused(wrong):
    with pytest.raises(ValueError, match=r"extensions|stages"):
        Plan(**wrong)


def test_a_plan_without_extensions_keeps_its_hash():
    assert Plan().hash() == "c336225353c5e8f51709f58886a0a1936eb729289907b62c0cf5d4a7230c9b9e"
    assert len({Plan(extensions=n).hash() for n in range(3)} | {Plan(confirms=("A",)).hash()}) == 4


def test_stages_keep_their_level_and_topping_up_does_not():
    """The benchmark in small: five in a hundred and three Monte Carlo errors of 300 replicates."""
    scenario = next(one for one in SCENARIOS if one.name == "few reviewers")
    found = extensions.run(scenario, 300, (3, 1))
    for number in extensions.EXTENSIONS:
        assert found[f"planned, shared nothing, {number}"] <= 0.088 * 300
    assert found["planned, shared both, 2"] > found["planned, shared nothing, 2"]
    assert found["topped up, 2"] > 0.055 * 300
