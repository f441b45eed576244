"""Each flag is raised by the behaviour it is about, and by nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from evaluation.stats.reviewers import LEFT, RIGHT, TIE, QualityRules, ReviewerWork, flagged, reviewer_quality

PROMPTS, REVIEWERS = 40, 8


def _work(seed=0, **changes):
    """Eight sound reviewers of forty pairs, who mostly see the same difference and read 220 words a minute."""
    rng = np.random.default_rng(seed)
    prompt, reviewer = np.repeat(np.arange(PROMPTS), REVIEWERS), np.tile(np.arange(REVIEWERS), PROMPTS)
    n = len(prompt)
    first_left = rng.random(n) < 0.5
    vote = np.sign(rng.normal(size=PROMPTS)[prompt] + 0.5 * rng.normal(size=n)) * (rng.random(n) < 0.85)
    shown = np.where(first_left, vote, -vote)
    words = rng.integers(100, 500, n).astype(float)
    scores = {name: tuple(rng.integers(3, 9, (2, n)).astype(float)) for name in ("tone", "help")}
    sound = ReviewerWork(
        reviewer=reviewer,
        prompt=prompt,
        preference=np.where(shown > 0, LEFT, np.where(shown < 0, RIGHT, TIE)),
        first_left=first_left,
        active_ms=words / 220 * 60_000 * rng.lognormal(0, 0.3, n),
        words=words,
        scores=scores,
    )
    return replace(sound, **changes)


def _codes(work, **rules):
    return {
        one.reviewer: [flag.code for flag in one.flags]
        for one in reviewer_quality(work, QualityRules(**rules))
        if one.flags
    }


@pytest.mark.parametrize("seed", range(20))
def test_sound_reviewers_have_no_flag(seed):
    assert _codes(_work(seed)) == {}


def test_faster_than_anybody_reads():
    work = _work()
    fast = np.where(work.reviewer == 3, work.words / 900 * 60_000, work.active_ms)
    assert _codes(replace(work, active_ms=fast)) == {3: ["too_fast"]}
    found = reviewer_quality(replace(work, active_ms=fast))[3]
    assert found.words_per_minute == pytest.approx(900)
    assert found.flags[0].reason.startswith("100 % of 40 timed ratings took less time than reading needs")


def test_clicking_through_after_a_careful_start_is_seen_against_the_own_pace():
    work = _work()
    slow = work.words / 120 * 60_000
    slow[(work.reviewer == 2) & (work.prompt >= 26)] /= 4
    assert _codes(replace(work, active_ms=slow)) == {2: ["too_fast"]}


def test_times_that_are_unknown_say_nothing():
    work = _work()
    found = reviewer_quality(replace(work, active_ms=np.full(len(work.words), np.nan)))
    assert {one.words_per_minute for one in found} == {None}
    assert _codes(replace(work, words=np.zeros(len(work.words)))) == {}


def test_one_number_for_everything_and_one_sheet_for_everybody():
    work = _work()
    flat = {name: (b.copy(), c.copy()) for name, (b, c) in work.scores.items()}
    constant = np.where(work.prompt % 2, 5.0, 7.0)
    for sides in flat.values():
        for side in sides:
            side[work.reviewer == 1] = constant[work.reviewer == 1]
    sheet = {"tone": (7.0, 6.0), "help": (8.0, 7.0)}
    for name, values in sheet.items():
        for side, value in zip(flat[name], values, strict=True):
            side[work.reviewer == 4] = value
    assert _codes(replace(work, scores=flat)) == {1: ["straight_lining"], 4: ["straight_lining"]}


def test_two_scores_a_rating_are_no_sheet():
    work = _work()
    ones = np.ones(len(work.words))
    assert _codes(replace(work, scores={"tone": (ones, ones)})) == {}


def test_always_the_same_side():
    work = _work()
    stuck = np.where(work.reviewer == 6, RIGHT, work.preference)
    found = reviewer_quality(replace(work, preference=stuck))
    assert "side_sticking" in [flag.code for flag in found[6].flags]
    assert found[6].side_p_value == pytest.approx(2 * 0.5**40)
    assert all(not one.flags for one in found if one.reviewer != 6)


def test_rating_by_lot_is_out_of_step():
    work = _work()
    lot = np.where(np.random.default_rng(1).random(len(work.words)) < 0.5, LEFT, RIGHT)
    found = _codes(replace(work, preference=np.where(work.reviewer == 5, lot, work.preference)))
    assert found == {5: ["low_agreement"]}


def test_agreement_does_not_depend_on_which_response_is_called_the_first():
    work = _work()
    other = np.where(np.random.default_rng(2).random(PROMPTS) < 0.5, True, False)[work.prompt]
    named = replace(work, first_left=work.first_left ^ other)
    pairs = zip(reviewer_quality(work), reviewer_quality(named), strict=True)
    assert all(one.agreement == pytest.approx(two.agreement) for one, two in pairs)


def test_failed_checks_and_answers_that_change():
    work = _work(
        check_reviewer=np.array([0, 0, 0, 1, 1, 1, 99]),
        check_passed=np.array([False, False, True, False, True, True, False]),
        repeat_reviewer=np.array([2, 2, 2, 3, 3, 3]),
        repeat_consistent=np.array([False, False, True, True, True, False]),
    )
    assert _codes(work) == {0: ["failed_checks"], 99: ["failed_checks"], 2: ["inconsistent"]}
    found = {one.reviewer: one for one in reviewer_quality(work)}
    assert (found[0].checks, found[0].checks_failed) == (3, 2)
    assert (found[2].repeats, found[2].repeats_consistent) == (3, 1)
    assert found[99].n_ratings == 0
    assert flagged(tuple(found.values()), ("failed_checks",)) == {0, 99}
    assert flagged(tuple(found.values()), ()) == frozenset()


def test_a_few_ratings_raise_no_flag():
    work = _work()
    few = work.prompt < 9
    short = ReviewerWork(
        work.reviewer[few],
        work.prompt[few],
        np.full(few.sum(), LEFT),
        work.first_left[few],
        np.zeros(few.sum()),
        work.words[few],
    )
    assert _codes(short) == {}
    assert set(_codes(short, enough=9)) == set(range(REVIEWERS))


def test_nothing_to_judge_is_an_empty_answer():
    nothing = np.zeros(0, dtype=np.int64)
    none = np.zeros(0)
    assert reviewer_quality(ReviewerWork(nothing, nothing, nothing, none.astype(bool), none, none)) == ()
    with pytest.raises(ValueError, match="same length"):
        _work(words=none)
    with pytest.raises(ValueError, match="one reviewer"):
        _work(check_reviewer=np.array([1]))


def test_who_is_called_what_changes_nothing():
    work = _work()
    named = replace(work, reviewer=work.reviewer * 1000 + 17)
    ours = [replace(one, reviewer=0) for one in reviewer_quality(work)]
    assert ours == [replace(one, reviewer=0) for one in reviewer_quality(named)]


def test_votes_that_always_or_never_agree_have_a_finite_bound():
    votes = np.where(np.arange(30) % 2 == 0, LEFT, RIGHT)
    preference = np.concatenate([votes, votes, votes, RIGHT - votes])
    unknown = np.full(120, np.nan)
    work = ReviewerWork(
        np.repeat(np.arange(4), 30),
        np.tile(np.arange(30), 4),
        preference,
        np.ones(120, dtype=bool),
        unknown,
        unknown,
    )
    assert _codes(work) == {3: ["low_agreement"]}
    assert reviewer_quality(work)[3].agreement == pytest.approx(-1)
