"""Ranking of several models, the confidence sequence, and the length check."""

import json
from dataclasses import replace

import numpy as np
import pytest

from evaluation.stats import davidson as ranking
from evaluation.stats.anytime import confidence_sequence
from evaluation.stats.arrays import dense_codes
from evaluation.stats.davidson import Comparisons, connected_groups, undefeated_groups
from evaluation.stats.length import length_adjusted_win_score
from evaluation.stats.primary import win_score
from evaluation.stats.rao_kupper import rao_kupper
from tests.evaluation.stats.crossed import make_ratings, unchecked
from tests.evaluation.stats.test_mtbench import VOTES

davidson = unchecked(ranking.davidson)


def _two_models(wins, losses, ties):
    score = np.repeat([1.0, 0.0, 0.5], [wins, losses, ties])
    n = len(score)
    zero, codes = np.zeros(n, dtype=np.int64), np.arange(n)
    return Comparisons(2, zero, zero + 1, score, codes, codes)


def test_two_models_have_the_closed_form():
    found = davidson(_two_models(72, 28, 11), seed=0, replicates=50)
    first, second = found.strengths
    assert (first.model, second.model) == (0, 1)
    assert np.exp(first.log_strength - second.log_strength) == pytest.approx(2.5714, abs=1e-3)
    assert found.tie_parameter == pytest.approx(0.24499, abs=1e-4)
    assert first.interval.low < first.log_strength < first.interval.high


def test_rao_kupper_has_the_published_two_model_fit():
    strengths, threshold = unchecked(rao_kupper)(_two_models(72, 28, 11))
    assert threshold == pytest.approx(1.26714, abs=1e-4)
    assert np.exp(strengths[0] - strengths[1]) == pytest.approx(2.33934, abs=1e-4)


def test_ranks_say_only_what_is_sure():
    clear, open_ = davidson(_two_models(90, 10, 5), seed=0), davidson(_two_models(22, 20, 5), seed=0)
    assert [(one.best_rank, one.worst_rank) for one in clear.strengths] == [(1, 1), (2, 2)]
    assert [(one.best_rank, one.worst_rank) for one in open_.strengths] == [(1, 2), (1, 2)]


def test_groups_without_a_connection_are_found():
    one = _two_models(4, 3, 1)
    apart = replace(
        one,
        models=5,
        first=np.append(one.first[:4], one.first[4:] + 2),
        second=np.append(one.second[:4], one.second[4:] + 2),
    )
    assert connected_groups(apart) == ((0, 1), (2, 3), (4,))
    assert connected_groups(one) == ((0, 1),)
    assert undefeated_groups(_two_models(5, 0, 0)) == ((0,), (1,))
    wins, ties, losses = one.tallies()
    assert (wins.tolist(), ties.tolist(), losses.tolist()) == ([4, 3], [1, 1], [3, 4])
    assert len(apart.among((2, 3)).first) == 4


def test_without_ties_it_is_bradley_terry():
    found = davidson(_two_models(30, 10, 0), seed=0, replicates=0)
    assert found.tie_parameter == 0.0
    assert np.exp(2 * found.strengths[0].log_strength) == pytest.approx(3, abs=1e-3)
    assert found.strengths[0].interval is None


@pytest.mark.skipif(not VOTES.exists(), reason="the shared MT-Bench votes are not on this machine")
def test_all_votes_of_mtbench():
    rows = [json.loads(line) for line in VOTES.read_text(encoding="utf-8").splitlines()]
    names = sorted({row["model_a"] for row in rows} | {row["model_b"] for row in rows})
    data = Comparisons(
        len(names),
        np.array([names.index(row["model_a"]) for row in rows]),
        np.array([names.index(row["model_b"]) for row in rows]),
        np.array([{"model_a": 1.0, "model_b": 0.0, "tie": 0.5}[row["winner"]] for row in rows]),
        dense_codes(np.array([row["question_id"] for row in rows])),
        dense_codes(np.array([row["judge"] for row in rows])),
    )
    found = davidson(data, seed=0, replicates=40)
    order = [names[item.model] for item in found.strengths]
    assert order == ["gpt-4", "claude-v1", "gpt-3.5-turbo", "vicuna-13b-v1.2", "alpaca-13b", "llama-13b"]
    expected = [1.497, 0.946, 0.881, -0.077, -1.112, -2.136]
    assert [item.log_strength for item in found.strengths] == pytest.approx(expected, abs=2e-3)
    assert found.tie_parameter == pytest.approx(0.860, abs=1e-3)
    gpt4, claude = found.strengths[:2]
    assert gpt4.interval.low > 0.946
    assert claude.interval.low < 0.881 < claude.interval.high


def test_models_that_cannot_be_compared_have_no_ranking():
    assert davidson(_two_models(5, 0, 0), seed=0) is None
    assert davidson(replace(_two_models(5, 5, 5), models=3), seed=0) is None
    assert davidson(_two_models(0, 0, 0), seed=0) is None


def test_comparisons_are_checked():
    good = _two_models(2, 2, 0)
    for changes in (
        {"score": good.score + 0.1},
        {"second": good.first},
        {"models": 1},
        {"prompt": np.arange(3)},
    ):
        with pytest.raises(ValueError, match=r"scores|models|length"):
            replace(good, **changes)


def test_a_watched_interval_is_wider_than_a_planned_one():
    for se in (0.2, 0.1, 0.05, 0.02):
        found = confidence_sequence(0.5, se, planned_se=0.05)
        assert found.high - 0.5 == pytest.approx(0.5 - found.low)
        assert found.high - 0.5 > 1.96 * se
    at_the_end = confidence_sequence(0.0, 0.05, planned_se=0.05).high / 0.05
    planned_elsewhere = [confidence_sequence(0.0, 0.05, planned_se=p).high / 0.05 for p in (0.01, 0.3)]
    assert at_the_end < min(planned_elsewhere)
    assert at_the_end < 3.1


def test_a_watched_interval_rarely_ever_misses():
    """Two thousand walks of a thousand steps with nothing to find, looked at after every step from the tenth."""
    steps = np.random.default_rng(0).standard_normal((2000, 1000))
    n = np.arange(1, 1001)
    mean = np.cumsum(steps, axis=1) / n
    half = np.array([confidence_sequence(0.0, 1 / np.sqrt(k), planned_se=1 / np.sqrt(500)).high for k in n])
    ever = (np.abs(mean) > half)[:, 10:].any(1).mean()
    fixed = (np.abs(mean) > 1.96 / np.sqrt(n))[:, 10:].any(1).mean()
    assert 0.01 < ever < 0.05
    assert fixed > 0.3


def test_errors_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        confidence_sequence(0.5, 0.0, planned_se=0.1)


def test_a_preference_for_length_is_taken_out():
    rng = np.random.default_rng(0)
    ratings = make_ratings(prompts=200, reviewers=20)
    gain = rng.normal(1, 1, len(ratings))
    outcome = np.where(gain + rng.normal(0, 0.3, len(ratings)) > 0, 0, 3)
    longer = replace(ratings, outcome=outcome)
    base = np.full(len(ratings), 100.0)
    adjusted = length_adjusted_win_score(longer, base, base + 50 * gain)
    raw = win_score(longer).value
    assert raw is not None and adjusted is not None and adjusted.value is not None
    assert raw > 0.8
    assert adjusted.value < raw - 0.2


def test_length_cannot_be_separated_if_one_side_is_nearly_always_longer():
    ratings = make_ratings(shift=0.6)
    base = np.full(len(ratings), 100.0)
    longer = base + np.where(np.arange(len(ratings)) % 20, 30.0, -30.0)
    assert length_adjusted_win_score(ratings, base, longer) is None
    assert length_adjusted_win_score(ratings, base, base + 3) is None


def test_equal_lengths_change_nothing():
    ratings = make_ratings()
    base = np.full(len(ratings), 100.0)
    equal = length_adjusted_win_score(ratings, base, base)
    assert equal is not None and equal.value == pytest.approx(win_score(ratings).value)
    with pytest.raises(ValueError, match="one per rating"):
        length_adjusted_win_score(ratings, base[1:], base[1:])
