"""Yes/no outcomes, slices, exclusions, length, and the watched page, in the report and alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from evaluation.stats import report
from evaluation.stats.exclusions import with_and_without
from evaluation.stats.plan import Plan
from evaluation.stats.primary import win_score
from evaluation.stats.proportions import proportion_difference
from evaluation.stats.ratings import LOSS, WIN, slicing
from evaluation.stats.slices import MOST_SLICES, slice_scores
from tests.evaluation.stats.crossed import from_outcomes, make_ratings, unchecked

analyse = unchecked(report.analyse)


def _with_answers(ratings, before, after, seed=0):
    """The ratings with a yes/no outcome whose chances of "yes" are `before` and `after`."""
    rng = np.random.default_rng(seed)
    n = len(ratings)
    answers = (rng.random(n) < before).astype(float), (rng.random(n) < after).astype(float)
    return replace(ratings, yes_no={"resolved": answers})


def _codes(found):
    return {caution.code for caution in found.cautions}


def test_a_difference_of_proportions_is_the_clustered_mean_difference():
    ratings = _with_answers(make_ratings(prompts=80), 0.4, 0.7)
    before, after = ratings.yes_no["resolved"]
    found = proportion_difference(ratings, "resolved")
    assert found.difference.value == pytest.approx((after - before).mean())
    assert found.baseline.value == pytest.approx(before.mean())
    assert found.relative.value == pytest.approx(after.mean() / before.mean() - 1)
    interval = found.difference.interval()
    assert interval is not None and 0 < interval.low < 0.3 < interval.high < 0.6
    assert (found.difference.p_value() or 1) < 0.001


def test_answers_that_never_differ_have_an_interval_and_a_test():
    found = analyse(_with_answers(make_ratings(), 2.0, 2.0), Plan()).yes_no[0]
    assert (found.difference, found.p_value, found.significant, found.problem) == (0.0, 1.0, False, None)
    assert found.ci_low < 0 < found.ci_high
    assert found.baseline_low < found.baseline_high == 1.0
    always = analyse(_with_answers(make_ratings(), -1.0, 2.0), Plan()).yes_no[0]
    assert (always.difference, always.ci_high, always.relative_change) == (1.0, 1.0, None)
    assert 0.5 < always.ci_low < 1
    assert always.p_value < 0.01


def test_yes_no_outcomes_and_criteria_are_one_family():
    ratings = _with_answers(make_ratings(prompts=80, shift=0.6, criteria=("tone",)), 0.4, 0.7)
    both = analyse(ratings, Plan())
    alone = analyse(replace(ratings, criteria={}), Plan())
    assert both.yes_no[0].p_value == alone.yes_no[0].p_value
    smaller, larger = sorted([both.criteria[0].p_value, both.yes_no[0].p_value])
    expected = [max(2 * smaller, both.primary.p_value), max(2 * smaller, larger, both.primary.p_value)]
    assert sorted([both.criteria[0].p_adjusted, both.yes_no[0].p_adjusted]) == pytest.approx(expected)


def test_missing_and_unplanned_answers_are_said():
    ratings = _with_answers(make_ratings(), 0.5, 0.6)
    before, after = (column.copy() for column in ratings.yes_no["resolved"])
    before[:30] = np.nan
    holed = replace(ratings, yes_no={"resolved": (before, after)})
    found = analyse(holed, Plan(yes_no=("resolved", "absent")))
    assert (found.yes_no[0].n_ratings, found.yes_no[0].n_missing) == (90, 30)
    assert found.yes_no[1].problem == "the data do not have it"
    assert "missing_criterion" in _codes(found)
    assert "unplanned_criteria" in _codes(analyse(holed, Plan(yes_no=())))
    with pytest.raises(ValueError, match="yes/no"):
        replace(ratings, yes_no={"resolved": (before + 1, after)})


def test_slices_are_adjusted_over_all_of_them():
    ratings = make_ratings(prompts=60, shift=0.3)
    topics = ["refund" if p % 3 else "delivery" for p in ratings.prompt]
    lengths = ["short" if p % 2 else "long" for p in ratings.prompt]
    found = slice_scores(replace(ratings, slices={"topic": slicing(topics), "size": slicing(lengths)}))
    assert [(one.slicing, one.label) for one in found.each] == [
        ("topic", "refund"),
        ("topic", "delivery"),
        ("size", "long"),
        ("size", "short"),
    ]
    raw = np.array([one.p_value for one in found.each], dtype=float)
    expected = stats.false_discovery_control(raw)
    assert [one.p_adjusted for one in found.each] == pytest.approx(expected.tolist())
    refund = ratings.subset(ratings.prompt % 3 != 0)
    assert found.each[0].score.value == pytest.approx(win_score(refund).value)


def test_small_and_surplus_slices_are_counted_and_not_shown():
    ratings = make_ratings(prompts=150, overlap=2)
    many = slicing([f"topic {p // 5}" for p in ratings.prompt])
    tiny = slicing(["rare" if p < 3 else None for p in ratings.prompt])
    found = analyse(replace(ratings, slices={"topic": many, "rare": tiny}), Plan()).slices
    assert found.label == "exploratory"
    assert len(found.each) == MOST_SLICES
    assert found.omitted == 11


def test_the_headline_is_shown_with_and_without_whom_the_rule_hits():
    ratings = make_ratings(prompts=60, overlap=4, reviewers=16, seed=3)
    spam = ratings.reviewer < 4
    ratings = replace(
        ratings, outcome=np.where(spam, LOSS, np.where(ratings.outcome == LOSS, WIN, ratings.outcome))
    )
    shown = analyse(ratings, Plan(), excluded=spam)
    applied = analyse(ratings, Plan(exclusion=("too_fast",)), excluded=spam)
    assert (shown.exclusions.applied, applied.exclusions.applied) == (False, True)
    assert shown.primary.n_ratings == 240
    assert applied.primary.n_ratings == 240 - spam.sum() == applied.exclusions.kept.n_ratings
    assert applied.primary.estimate == shown.exclusions.kept.estimate
    assert shown.exclusions.everything.estimate == shown.primary.estimate
    assert shown.exclusions.everything == applied.exclusions.everything
    assert shown.exclusions.changes_verdict
    assert "exclusions_decide" in _codes(shown)
    assert f"{spam.sum()} ratings by reviewers flagged for too fast were left out" in applied.methods
    assert "left out" not in shown.methods


def test_excluding_everybody_leaves_nothing_to_say():
    ratings = make_ratings()
    found = analyse(ratings, Plan(exclusion=("too_fast",)), excluded=np.ones(len(ratings), dtype=bool))
    assert found.verdict == "inconclusive"
    assert found.exclusions.kept.estimate is None
    assert not found.exclusions.changes_verdict
    assert "the exclusion rule leaves no rating" in found.sentence
    assert _codes(found) == {"no_inference"}
    json.dumps(found.to_json(), allow_nan=False)
    with pytest.raises(ValueError, match="every rating"):
        with_and_without(ratings, np.ones(3, dtype=bool), margin=0.05)


def test_a_preference_for_length_is_shown_beside_the_headline():
    rng = np.random.default_rng(0)
    ratings = make_ratings(prompts=120, reviewers=20)
    gain = rng.normal(1, 1, 120)[ratings.prompt]
    base = np.full(len(ratings), 100.0)
    longer = np.where(gain + rng.normal(0, 0.3, len(ratings)) > 0, WIN, LOSS)
    candidate = base + 50 * gain
    candidate[0] = np.nan
    found = analyse(replace(ratings, outcome=longer, lengths=(base, candidate)), Plan())
    assert found.verdict == "better"
    assert found.length.n_ratings == len(ratings) - 1
    assert found.length.adjusted_estimate < found.primary.estimate - 0.2
    assert "length_decides" in _codes(found)
    assert "tanh" in found.methods
    assert analyse(replace(ratings, lengths=(base, base)), Plan()).length.candidate_longer_share == 0.5


def test_a_watched_page_asks_more_of_every_moment():
    ratings = make_ratings(prompts=120, reviewers=20, shift=0.4, criteria=("tone",))
    once, watched = analyse(ratings, Plan()), analyse(ratings, Plan(watch_se=0.04))
    assert watched.primary.significance_level < 0.01
    assert watched.primary.ci_low < once.primary.ci_low
    assert watched.criteria[0].ci_low < once.criteria[0].ci_low
    assert watched.primary.repeated_interval
    assert watched.watch.bound > 2.5
    assert "may be watched all the time" in watched.watch.cost
    assert "confidence sequence" in watched.methods
    assert once.watch is None
    assert "before_planned_end" not in _codes(analyse(ratings, Plan(watch_se=0.04, planned_ratings=9999)))


def test_a_watched_page_without_an_error_claims_little():
    found = analyse(from_outcomes([(p, r, WIN) for p in range(9) for r in range(9)]), Plan(watch_se=0.05))
    assert found.verdict == "inconclusive"
    json.dumps(found.to_json(), allow_nan=False)


def test_a_plan_of_another_version_is_said():
    assert "analysis_updated" in _codes(analyse(make_ratings(), Plan(analysis_version=1)))
    assert "analysis_updated" not in _codes(analyse(make_ratings(), Plan()))


@pytest.mark.parametrize(
    "bad",
    [
        {"watch_se": 0.0},
        {"watch_se": 0.1, "looks": (0.5, 1.0)},
        {"exclusion": ("ugly",)},
        {"yes_no": ("a", "a")},
    ],
)
def test_values_that_make_no_plan_are_refused(bad):
    with pytest.raises(ValueError, match=r"watch|exclusion|distinct"):
        Plan(**bad)


def test_leaving_reviewers_out_does_not_rename_the_others():
    ratings = make_ratings(prompts=30, overlap=3, reviewers=10)
    found = analyse(ratings, Plan(exclusion=("too_fast",)), excluded=ratings.reviewer < 3)
    named = found.labelled([f"p{k}" for k in range(30)], [f"r{k}" for k in range(10)])
    assert [one.reviewer for one in named.reviewers.each] == [f"r{k}" for k in range(3, 10)]
    ninth = next(one for one in named.reviewers.each if one.reviewer == "r9")
    assert ninth.n_ratings == (ratings.reviewer == 9).sum()
