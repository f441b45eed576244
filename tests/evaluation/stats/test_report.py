import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.stats import report
from evaluation.stats.criteria import criterion_difference
from evaluation.stats.plan import Plan
from evaluation.stats.ratings import BOTH_BAD, LOSS, TIE, WIN, Ratings, outcome_codes
from tests.evaluation.stats.crossed import from_outcomes, make_ratings, unchecked

analyse = unchecked(report.analyse)

PLAN = Plan()
CONTRACT = {
    *("verdict", "sentence", "primary", "criteria", "agreement", "position", "cautions", "methods"),
    *("plan_hash", "schema_version", "look", "reviewers", "panel_only", "effect_sizes"),
}
PRIMARY = {
    *("estimate", "ci_low", "ci_high", "p_value", "wins", "ties", "both_bad", "losses"),
    *("n_ratings", "n_prompts", "n_reviewers"),
}
CRITERION = {
    *("name", "difference", "ci_low", "ci_high", "p_value", "p_adjusted"),
    *("baseline_mean", "candidate_mean", "relative_change"),
}


def _codes(report):
    return {caution.code for caution in report.cautions}


def _swapped(ratings):
    """The same ratings with baseline and candidate exchanged."""
    outcome = np.array([LOSS, TIE, BOTH_BAD, WIN])[ratings.outcome]
    criteria = {name: (after, before) for name, (before, after) in ratings.criteria.items()}
    return Ratings(ratings.prompt, ratings.reviewer, outcome, ~ratings.candidate_left, criteria)


@pytest.fixture(scope="module")
def better():
    return analyse(make_ratings(shift=0.6, criteria=("tone", "help")), PLAN)


def test_json_has_the_contract(better):
    found = better.to_json()
    assert found.keys() >= CONTRACT
    assert found["primary"].keys() >= PRIMARY
    assert [item.keys() >= CRITERION for item in found["criteria"]] == [True, True]
    assert all(item.keys() == {"code", "message"} for item in found["cautions"])
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_better_model_is_said_in_one_sentence(better):
    assert better.verdict == "better"
    primary = better.primary
    assert better.sentence == (
        f"Reviewers preferred the candidate, with a win score of {100 * primary.estimate:.0f} % "
        f"(95 % interval {100 * primary.ci_low:.0f} % to {100 * primary.ci_high:.0f} %; ties count half)."
    )


def test_counts_add_up_and_ties_count_half(better):
    p = better.primary
    assert p.wins + p.ties + p.both_bad + p.losses == p.n_ratings == 120
    assert p.mean_over_ratings == pytest.approx((p.wins + 0.5 * (p.ties + p.both_bad)) / 120)
    assert p.net_win_rate == pytest.approx(2 * p.estimate - 1)


def test_exchanging_the_models_mirrors_everything(better):
    mirrored = analyse(_swapped(make_ratings(shift=0.6, criteria=("tone", "help"))), PLAN)
    assert mirrored.verdict == "worse"
    assert "preferred the baseline: the candidate has a win score of" in mirrored.sentence
    assert mirrored.primary.estimate == pytest.approx(1 - better.primary.estimate)
    assert mirrored.primary.ci_low == pytest.approx(1 - better.primary.ci_high)
    assert mirrored.primary.p_value == pytest.approx(better.primary.p_value)
    for ours, theirs in zip(better.criteria, mirrored.criteria, strict=True):
        assert ours.difference == pytest.approx(-theirs.difference)
        assert ours.p_adjusted == pytest.approx(theirs.p_adjusted, rel=1e-4)
    assert mirrored.agreement.alpha == pytest.approx(better.agreement.alpha)
    assert mirrored.position.left_score == pytest.approx(better.position.left_score)


def test_both_bad_counts_like_a_tie():
    ratings = make_ratings()
    outcome = np.where(ratings.outcome == TIE, BOTH_BAD, ratings.outcome)
    changed = analyse(replace(ratings, outcome=outcome), PLAN)
    assert changed.primary.estimate == analyse(ratings, PLAN).primary.estimate
    assert (changed.primary.ties, changed.primary.both_bad) == (0, analyse(ratings, PLAN).primary.ties)


def test_the_estimate_is_the_mean_of_prompt_means_unless_workloads_are_uneven(better):
    assert better.primary.estimate == pytest.approx(better.primary.mean_of_prompt_means)
    skewed = analyse(make_ratings(prompts=100, reviewers=20, skewed=True), PLAN).primary
    assert skewed.reviewer_balanced
    assert skewed.estimate != pytest.approx(skewed.mean_of_prompt_means, abs=1e-6)
    assert skewed.estimate == pytest.approx(skewed.mean_of_prompt_means, abs=0.1)


def test_prompts_weigh_equally():
    rows = [(0, 0, WIN)] + [(1, reviewer, LOSS) for reviewer in range(1, 4)]
    assert analyse(from_outcomes(rows), PLAN).primary.estimate == pytest.approx(0.5)


def test_equivalence_needs_a_narrow_interval_not_a_large_p():
    narrow = analyse(make_ratings(prompts=400, overlap=8, reviewers=60, shares=(0.02, 0.0)), PLAN)
    assert narrow.verdict == "equivalent"
    primary = narrow.primary
    assert (
        f"90 % interval {100 * primary.equivalence_low:.0f} % to {100 * primary.equivalence_high:.0f} %"
        in narrow.sentence
    )
    assert "inside the 45 % to 55 % that the plan counts as equivalent" in narrow.sentence
    chosen = analyse(
        make_ratings(prompts=400, overlap=8, reviewers=60, shares=(0.02, 0.0)), Plan(frozen=False)
    )
    assert "that this analysis counts as equivalent" in chosen.sentence
    assert chosen.plan_hash is None
    wide = analyse(make_ratings(prompts=30, overlap=2, seed=5), PLAN)
    assert wide.primary.p_value > 0.05
    assert wide.verdict == "inconclusive"
    assert "may be better or worse than the baseline. A new campaign about" in wide.sentence


def test_not_worse_when_only_the_lower_end_is_inside():
    ratings = make_ratings(prompts=120, overlap=4, reviewers=40, shift=0.06, shares=(0.02, 0.0), seed=2)
    found = analyse(ratings, Plan(margin=0.055))
    assert found.primary.p_value > 0.05
    assert found.verdict == "not_worse"
    assert "Whether it is better is still open" in found.sentence


def test_a_tiny_but_certain_difference_is_flagged():
    ratings = make_ratings(prompts=600, overlap=8, reviewers=80, shift=0.09, shares=(0.02, 0.0))
    found = analyse(ratings, Plan(margin=0.1))
    assert found.verdict == "better"
    assert "small_difference" in _codes(found)


def test_simulated_ratings_are_named_in_the_sentence():
    ratings = replace(make_ratings(shift=0.6), simulated=True)
    found = analyse(ratings, PLAN)
    assert found.sentence.startswith("Simulated reviewers preferred")
    assert "simulated" in _codes(found)
    assert found.to_json()["simulated"] is True
    assert "simulated reviewers" in analyse(replace(make_ratings(), simulated=True), PLAN).sentence


def test_criteria_wait_behind_the_gate():
    ratings = make_ratings(criteria=("tone",))
    before, _ = ratings.criteria["tone"]
    better_tone = np.minimum(before + 1 + (np.arange(len(ratings)) % 2), 10)
    found = analyse(replace(ratings, criteria={"tone": (before, better_tone)}), PLAN)
    tone = found.criteria[0]
    assert found.primary.p_value > 0.05
    assert tone.p_value < 0.001
    assert tone.p_adjusted == found.primary.p_value
    assert not tone.significant


def test_each_criterion_says_where_its_variation_lies():
    ratings = make_ratings(prompts=120, reviewers=20, shares=(0.5, 0.05), criteria=("tone",))
    found = analyse(ratings, Plan()).variation
    (tone,) = found.criteria
    fitted = criterion_difference(ratings, "tone").difference.headline.mixed
    assert fitted is not None and tone.sd == fitted.sd
    assert (tone.prompt_share, tone.reviewer_share) == (fitted.prompt_share, fitted.reviewer_share)
    assert 0.05 < fitted.prompt_share < (found.prompt_share or 0)
    assert sum((tone.prompt_share or 0, tone.reviewer_share or 0, tone.residual_share or 0)) == pytest.approx(
        1
    )


def test_relative_change_belongs_to_the_means(better):
    ratings = make_ratings(shift=0.6, criteria=("tone", "help"))
    assert [item.relative_change for item in better.criteria] == [None, None]
    found = analyse(replace(ratings, from_zero=frozenset({"tone", "help"})), PLAN)
    for item in found.criteria:
        assert item.candidate_mean - item.baseline_mean == pytest.approx(item.difference)
        assert item.relative_change == pytest.approx(item.candidate_mean / item.baseline_mean - 1)
        assert item.relative_ci_low < item.relative_change < item.relative_ci_high


def test_missing_scores_leave_only_their_rows_out():
    ratings = make_ratings(criteria=("tone", "help"))
    before, after = (column.copy() for column in ratings.criteria["tone"])
    before[:30] = np.nan
    after[20:50] = np.nan
    holed = replace(ratings, criteria={**ratings.criteria, "tone": (before, after)})
    found = analyse(holed, Plan(criteria=("tone", "help", "absent")))
    tone, help_, absent = found.criteria
    assert (tone.n_ratings, tone.n_missing) == (70, 50)
    assert help_ == replace(analyse(ratings, PLAN).criteria[1], p_adjusted=help_.p_adjusted)
    assert (absent.difference, absent.p_adjusted, absent.problem) == (None, None, "the data do not have it")
    assert "missing_criterion" in _codes(found)


def test_criteria_outside_the_plan_are_not_analysed():
    found = analyse(make_ratings(criteria=("tone", "extra")), Plan(criteria=("tone",)))
    assert [item.name for item in found.criteria] == ["tone"]
    assert "unplanned_criteria" in _codes(found)


def test_looks_make_a_claim_harder_and_say_so():
    plan = Plan(looks=(0.25, 0.5, 0.75, 1.0), planned_ratings=480)
    ratings = make_ratings(shift=0.35, seed=1)
    once = analyse(ratings, Plan())
    early = analyse(ratings, plan, plan.look(1))
    assert once.verdict == "better"
    assert early.verdict == "inconclusive"
    assert early.sentence.startswith("At planned analysis 1 of 4: ")
    assert "repeated 95 % interval" in early.sentence
    assert early.primary.ci_high - early.primary.ci_low > once.primary.ci_high - once.primary.ci_low
    assert early.look.bound == pytest.approx(4.3326, abs=1e-3)
    assert "instead of 0.05" in early.look.cost
    assert "interim_look" in _codes(early)
    last = analyse(ratings, plan, plan.look(4))
    assert last.look.is_final
    assert "interim_look" not in _codes(last)
    assert last.primary.significance_level == pytest.approx(0.044, abs=1e-3)


def test_an_unplanned_peek_is_a_caution():
    found = analyse(make_ratings(), Plan(planned_ratings=500))
    assert "before_planned_end" in _codes(found)
    assert "before_planned_end" not in _codes(analyse(make_ratings(), Plan(planned_ratings=120)))


def test_few_and_dominant_reviewers_are_cautions(better):
    few, even = make_ratings(reviewers=4), make_ratings(reviewers=3, overlap=3)
    mostly_one = few.subset((few.reviewer == 0) | (few.prompt < 10))
    assert {"few_reviewers", "dominant_reviewer"} <= _codes(analyse(mostly_one, PLAN))
    # An even third of the ratings is not dominance.
    assert {"few_reviewers", "dominant_reviewer"} & _codes(analyse(even, PLAN)) == {"few_reviewers"}
    assert not {"few_reviewers", "dominant_reviewer", "few_prompts", "uneven_workloads"} & _codes(better)
    skewed = analyse(make_ratings(prompts=100, reviewers=20, skewed=True), PLAN)
    assert "uneven_workloads" in _codes(skewed)
    assert "1/(3 + n)" in skewed.methods


def test_a_preference_for_a_side_is_found_and_adjusted_for():
    rng = np.random.default_rng(0)
    base = make_ratings(prompts=100, reviewers=20)
    left = rng.random(len(base)) < 0.8
    found = analyse(
        replace(
            base, candidate_left=left, outcome=np.where(rng.random(300) < 0.8, left * WIN + ~left * LOSS, TIE)
        ),
        PLAN,
    )
    assert found.position.left_score > 0.8
    assert found.position.p_value < 1e-6
    assert {"position_effect", "unbalanced_sides"} <= _codes(found)
    assert found.primary.estimate > 0.65
    assert found.position.adjusted_estimate == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("rows", "verdict", "estimate", "caution"),
    [
        ([], "inconclusive", None, "no_inference"),
        ([(0, 0, WIN)], "inconclusive", 1.0, "no_inference"),
        ([(0, r, r % 2 * LOSS) for r in range(8)], "inconclusive", 0.5, "no_inference"),
        ([(p, 0, p % 2 * LOSS) for p in range(8)], "inconclusive", 0.5, "no_inference"),
        ([(p, r, TIE) for p in range(9) for r in range(5)], "inconclusive", 0.5, "no_variance"),
        ([(p, r, WIN) for p in range(90) for r in range(4)], "inconclusive", 1.0, "few_reviewers"),
        ([(p, r, WIN) for p in range(9) for r in range(9)], "better", 1.0, "no_variance"),
        ([(p, r, LOSS) for p in range(9) for r in range(9)], "worse", 0.0, "no_variance"),
        ([(p, r, TIE) for p in range(40) for r in range(40)], "equivalent", 0.5, "no_variance"),
        ([(p, r, p % 2 * LOSS) for p in range(6) for r in range(4)], "inconclusive", 0.5, "few_prompts"),
        (
            [(p, r, (p + r) % 2 * LOSS) for p in range(4) for r in range(4)],
            "inconclusive",
            0.5,
            "few_prompts",
        ),
    ],
)
def test_degenerate_data_answer(rows, verdict, estimate, caution):
    found = analyse(from_outcomes(rows), PLAN)
    json.dumps(found.to_json(), allow_nan=False)
    assert found.verdict == verdict
    assert found.primary.estimate == estimate
    assert caution in _codes(found)
    if rows:
        assert 0 <= found.primary.ci_low <= estimate <= found.primary.ci_high <= 1


def test_no_ratings_say_what_to_collect():
    found = analyse(from_outcomes([]), PLAN)
    assert found.sentence == (
        "The result from reviewers is inconclusive, because there are no ratings. "
        "Collect ratings from at least 10 reviewers on at least 30 prompts."
    )


def test_constant_criteria_have_an_interval_and_a_test():
    ratings = make_ratings(shift=0.6, criteria=("tone",))
    same = np.full(len(ratings), 5.0)
    for step, p_value in ((0.0, 1.0), (1.0, 1e-4)):
        columns = {**ratings.criteria, "same": (same, same + step)}
        constant = analyse(replace(ratings, criteria=columns), PLAN).criteria[1]
        assert constant.difference == step
        assert step - 0.2 < constant.ci_low < step < constant.ci_high < step + 0.2
        assert constant.p_value == pytest.approx(p_value) if step == 0 else constant.p_value < p_value
        assert constant.problem is None


def test_ratings_check_their_columns():
    codes = np.arange(2)
    with pytest.raises(ValueError, match="same length"):
        Ratings(codes, codes, np.zeros(2, dtype=np.int64), np.ones(3, dtype=bool))
    with pytest.raises(ValueError, match="outcome codes"):
        Ratings(codes, codes, np.array([0, 4]), np.ones(2, dtype=bool))
    with pytest.raises(ValueError, match="unknown outcomes: draw"):
        unchecked(outcome_codes)(["win", "draw"])


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(0, 3)),
        max_size=25,
        unique_by=lambda row: row[:2],
    ),
    scores=st.integers(0, 2**32),
    peek=st.booleans(),
)
def test_any_small_data_answer_with_numbers_that_exist(rows, scores, peek):
    ratings = from_outcomes(rows)
    rng = np.random.default_rng(scores)
    before, after = (
        np.where(rng.random(len(rows)) < 0.3, np.nan, rng.integers(1, 4, len(rows))) for _ in range(2)
    )
    ratings = replace(ratings, criteria={"tone": (before, after)})
    plan = Plan(looks=(0.3, 1.0))
    found = analyse(ratings, plan, plan.look(1) if peek else None)
    json.dumps(found.to_json(), allow_nan=False)
    primary = found.primary
    if rows:
        assert 0 <= primary.ci_low <= primary.estimate + 1e-12
        assert primary.estimate <= primary.ci_high + 1e-12 <= 1 + 2e-12
    if primary.p_value is not None:
        significant = primary.p_value <= primary.significance_level
        claimed = found.verdict in ("better", "worse")
        assert claimed == (significant and primary.n_reviewers >= 5)
        assert not (significant and primary.ci_low < 0.5 < primary.ci_high)
    else:
        assert found.verdict == "inconclusive"


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), skewed=st.booleans())
def test_order_and_names_of_prompts_and_reviewers_do_not_matter(seed, skewed):
    ratings = make_ratings(prompts=20, overlap=2, reviewers=8, seed=seed, skewed=skewed, criteria=("tone",))
    rng = np.random.default_rng(seed)
    names, order = rng.permutation(1000), rng.permutation(len(ratings))
    before, after = ratings.criteria["tone"]
    other = Ratings(
        names[ratings.prompt[order]],
        names[ratings.reviewer[order]],
        ratings.outcome[order],
        ratings.candidate_left[order],
        {"tone": (before[order], after[order])},
    )
    first, second = analyse(ratings, PLAN), analyse(other, PLAN)
    for name in ("estimate", "ci_low", "ci_high", "p_value"):
        assert getattr(first.primary, name) == pytest.approx(
            getattr(second.primary, name), rel=1e-4, abs=1e-6
        )
    assert first.criteria[0].difference == pytest.approx(second.criteria[0].difference)
    assert first.agreement.alpha == pytest.approx(second.agreement.alpha)
    assert first.verdict == second.verdict


def test_the_same_data_give_the_same_report():
    ratings = make_ratings(criteria=("tone",))
    assert analyse(ratings, PLAN) == analyse(ratings, PLAN)


def test_more_data_narrow_the_interval_on_average():
    widths = [
        np.mean(
            [
                found.ci_high - found.ci_low
                for seed in range(8)
                for found in [analyse(make_ratings(prompts=n, reviewers=12, seed=seed), PLAN).primary]
            ]
        )
        for n in (15, 60, 240)
    ]
    assert widths[0] > widths[1] > widths[2]


def test_the_methods_say_only_what_was_done(better):
    assert "gatekeeping" in better.methods
    assert "One analysis was made, at level 0.05." in better.methods
    plain = analyse(make_ratings(), PLAN)
    assert "gatekeeping" not in plain.methods
    plan = Plan(looks=(0.5, 1.0))
    assert "at 50 % of the planned ratings" in analyse(make_ratings(), plan, plan.look(1)).methods
    assert "look 2 of 2, the last" in analyse(make_ratings(), plan, plan.look(2)).methods
    rows = [(p, r, WIN) for p in range(9) for r in range(9)]
    assert "the added ratings determine the interval" in analyse(from_outcomes(rows), PLAN).methods
    assert "the added ratings determine" not in better.methods


def test_one_is_written_in_the_singular():
    found = analyse(from_outcomes([(0, 0, WIN)]), PLAN)
    messages = " ".join(caution.message for caution in found.cautions)
    assert "Only 1 reviewer: " in messages
    assert "Only 1 prompt: " in messages
    assert found.methods.startswith("The analysis used 1 rating of 1 prompt by 1 reviewer.")


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 4), st.integers(0, 3)),
        max_size=30,
        unique_by=lambda row: row[:2],
    )
)
def test_every_sign_flips_with_the_labels(rows):
    found = analyse(from_outcomes(rows), PLAN)
    mirrored = analyse(_swapped(from_outcomes(rows)), PLAN)
    opposite = {"better": "worse", "worse": "better", "not_worse": None}
    if found.verdict != "not_worse" and mirrored.verdict != "not_worse":
        assert mirrored.verdict == opposite.get(found.verdict, found.verdict)
    for name, other in (("ci_low", "ci_high"), ("ci_high", "ci_low"), ("estimate", "estimate")):
        ours, theirs = getattr(found.primary, name), getattr(mirrored.primary, other)
        assert (ours is None) == (theirs is None)
        assert ours is None or ours == pytest.approx(1 - theirs, abs=1e-4)
    assert (found.primary.wins, found.primary.losses) == (mirrored.primary.losses, mirrored.primary.wins)
    if found.primary.p_value is not None:
        assert found.primary.p_value == pytest.approx(mirrored.primary.p_value, abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["one reviewer", "one prompt", "all ties", "no variance", "one rating each"]),
    size=st.integers(1, 40),
    missing=st.floats(0, 1),
)
def test_degenerate_data_are_inconclusive_or_exact_and_say_what_to_collect(kind, size, missing):
    rng = np.random.default_rng(size)
    prompt, reviewer = np.arange(size), rng.integers(0, 5, size)
    outcome = rng.integers(0, 4, size)
    if kind == "one reviewer":
        reviewer = np.zeros(size, dtype=np.int64)
    elif kind == "one prompt":
        prompt, reviewer = np.zeros(size, dtype=np.int64), np.arange(size)
    elif kind == "all ties":
        outcome = np.full(size, TIE)
    elif kind == "no variance":
        outcome = np.full(size, WIN)
    else:
        reviewer = np.arange(size)
    scores = np.where(rng.random((2, size)) < missing, np.nan, 5.0)
    tone = {"tone": (scores[0], scores[1])}
    ratings = Ratings(prompt, reviewer, outcome, rng.random(size) < 0.5, tone, lengths=(scores[1], scores[0]))
    found = analyse(ratings, PLAN)
    json.dumps(found.to_json(), allow_nan=False)
    if found.verdict == "inconclusive":
        assert ("A new campaign" in found.sentence) != ("Collect ratings from" in found.sentence)
    if kind in ("one reviewer", "one prompt"):
        assert found.verdict == "inconclusive"
