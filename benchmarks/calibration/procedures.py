"""Every inference of the report and common ones that it does not use, each with two results: whether it rejects "no
difference", and whether its interval contains the true value."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from benchmarks.calibration.scenarios import (
    MARGIN,
    Draw,
    Scenario,
    in_order,
    true_share_difference,
)
from evaluation.stats.anytime import sequence_level
from evaluation.stats.clustered import clustered_mean
from evaluation.stats.clusters import Clusters
from evaluation.stats.criteria import criterion_difference
from evaluation.stats.effects import prompt_means
from evaluation.stats.equivalence import is_equivalent, is_not_worse
from evaluation.stats.estimate import Inference, Interval
from evaluation.stats.multiplicity import gatekept
from evaluation.stats.panel import majorities, sign_flip, signed_rank
from evaluation.stats.position import position_effect
from evaluation.stats.power import Design, Variation, standard_error
from evaluation.stats.primary import WinScore, win_score
from evaluation.stats.proportions import proportion_difference
from evaluation.stats.sequential import spending_boundaries
from evaluation.stats.slices import slice_scores
from evaluation.stats.weights import prompt_weights

ALPHA = 0.05
# Sign flips: enough to decide whether p is below 5 %.
DRAWS = 2000
PEEKS = tuple(k / 6 for k in range(1, 7))
_BOUNDS = spending_boundaries(PEEKS, ALPHA)


@dataclass(frozen=True)
class Answer:
    """`rejects`: the test reports a difference. `covers`: its interval contains the true value; None without an
    interval."""

    rejects: bool
    covers: bool | None = None


def headline_answers(sample: Draw) -> dict[str, Answer]:
    """The answers of the headline and its parts."""
    return dict(_means(sample, win_score(sample.ratings)))


def core_answers(sample: Draw) -> dict[str, Answer]:
    """The answers of the headline, its parts, and the tests of the picture."""
    means = np.round(prompt_means(sample.ratings.win_score, sample.ratings.prompt) - 0.5, 9)
    return {
        **headline_answers(sample),
        **dict(_naive(sample)),
        "this panel only: Wilcoxon, prompt means": _answer(signed_rank(means).p_value),
    }


def answers(sample: Draw, scenario: Scenario, seed: int) -> dict[str, Answer]:
    """The answers of every procedure for one review."""
    score = win_score(sample.ratings)
    return dict(
        [
            *_means(sample, score),
            *_naive(sample),
            *_panel(sample, seed),
            *_outcomes(sample, score),
            *_peeking(sample, scenario, score),
            *_others(sample),
        ]
    )


def margin_answers(at_margin: Draw, even: Draw) -> dict[str, tuple[bool, bool]]:
    """(wrong, right) claims of equivalence and of "not worse".

    Wrong: the candidate is exactly at the margin. For "not worse" the sides are swapped, so that it is worse by exactly
    the margin. Right: there is no difference.
    """
    edge, same = win_score(at_margin.ratings), win_score(even.ratings)

    def equivalent(score: WinScore) -> bool:
        return is_equivalent(score.interval(1 - 2 * ALPHA), null=0.5, margin=MARGIN)

    def not_worse(score: WinScore, *, mirrored: bool) -> bool:
        interval = score.interval(1 - ALPHA)
        if mirrored and interval is not None:
            interval = Interval(1 - interval.high, 1 - interval.low)
        return is_not_worse(interval, null=0.5, margin=MARGIN)

    return {
        "equivalence (TOST)": (equivalent(edge), equivalent(same)),
        "not worse (one-sided 2.5 %)": (
            not_worse(edge, mirrored=True),
            not_worse(same, mirrored=False),
        ),
    }


def _answer(p: float | None, p_truth: float | None = None, *, level: float = ALPHA) -> Answer:
    rejects = p is not None and p <= level
    return Answer(rejects, None if p_truth is None else p_truth > level)


def _means(sample: Draw, score: WinScore) -> Iterator[tuple[str, Answer]]:
    rows, truth = sample.ratings, sample.win_score
    values, prompt, reviewer = rows.win_score, rows.prompt, rows.reviewer
    plain = clustered_mean(values, Clusters(prompt, reviewer, prompt_weights(prompt)), method="plain")
    mixed = score.headline.mixed
    parts: dict[str, Inference] = {
        "headline": score.mean,
        "clustered, jackknife": score.headline.clustered,
        "mixed model, same mean": mixed.weighted if mixed else score.headline.clustered,
        "mixed model (REML)": mixed.mean if mixed else score.headline.clustered,
        "clustered, plain": plain,
    }
    for name, part in parts.items():
        yield name, _answer(part.p_value(0.5), part.p_value(truth))


def _naive(sample: Draw) -> Iterator[tuple[str, Answer]]:
    values, truth = sample.ratings.win_score, sample.win_score
    wins, losses = int((values > 0.5).sum()), int((values < 0.5).sum())
    yield "binomial, all ratings", _answer(float(stats.binomtest(wins, max(wins + losses, 1)).pvalue))
    t_tests = [float(stats.ttest_1samp(values, null).pvalue) for null in (0.5, truth)]
    yield "paired t, all ratings", _answer(*t_tests)
    yield "Wilcoxon, all ratings", _answer(signed_rank(values - 0.5).p_value)


def _panel(sample: Draw, seed: int) -> Iterator[tuple[str, Answer]]:
    differences = np.round(prompt_means(sample.ratings.win_score, sample.ratings.prompt) - 0.5, 9)
    yield "this panel only: sign flip", _answer(sign_flip(differences, seed=seed, draws=DRAWS).p_value)
    yield "this panel only: Wilcoxon, prompt means", _answer(signed_rank(differences).p_value)
    yield "this panel only: majorities", _answer(majorities(differences).p_value)


def _outcomes(sample: Draw, score: WinScore) -> Iterator[tuple[str, Answer]]:
    rows = sample.ratings
    criteria = [criterion_difference(rows, name) for name in rows.criteria]
    share = proportion_difference(rows, "resolved")
    first = criteria[0]
    yield "criterion", _answer(first.difference.p_value(), first.difference.p_value(sample.effect))
    if sample.effect == 0:
        # No difference is a ratio of one; elsewhere the true ratio of rounded scores has no closed form.
        equal = None if first.relative.log is None else first.relative.log.p_value(0.0)
        yield "relative change", _answer(equal, equal)
    truth = true_share_difference(sample.effect)
    yield "yes/no outcome", _answer(share.difference.p_value(), share.difference.p_value(truth))
    raw = [one.difference.p_value() for one in criteria] + [share.difference.p_value()]
    gate = score.p_value()
    family = gatekept(1.0 if gate is None else gate, np.array([1.0 if p is None else p for p in raw]))
    yield "any criterion, behind the gate", _answer(float(family.min()))


def _peeking(sample: Draw, scenario: Scenario, whole: WinScore) -> Iterator[tuple[str, Answer]]:
    """Six analyses as ratings arrive: with group-sequential bounds, as a confidence sequence, and uncorrected."""
    truth, n = sample.win_score, len(sample.ratings)
    planned = planned_error(scenario)
    answers: dict[str, list[Answer]] = {
        "six looks, O'Brien–Fleming": [],
        "confidence sequence": [],
        "six looks, no bounds": [],
    }
    for number, fraction in enumerate(PEEKS, start=1):
        rows = in_order(sample.ratings, np.arange(round(fraction * n)))
        mean = (whole if fraction == 1 else win_score(rows)).mean
        p, p_truth = mean.p_value(0.5), mean.p_value(truth)
        se = mean.se or math.inf
        levels = (
            _BOUNDS.nominal_level(number),
            sequence_level(min(se, 5 * planned), planned_se=planned, level=1 - ALPHA),
            ALPHA,
        )
        for (_, seen), level in zip(answers.items(), levels, strict=True):
            seen.append(_answer(p, 1.0 if p_truth is None else p_truth, level=level))
    for name, seen in answers.items():
        yield name, Answer(any(a.rejects for a in seen), all(a.covers for a in seen))


def planned_error(scenario: Scenario) -> float:
    """The standard error of the win score that planning expects at the end."""
    variation = Variation(0.45, scenario.prompt_share, scenario.reviewer_share)
    return standard_error(Design(scenario.prompts, scenario.overlap, scenario.reviewers), variation)


def _others(sample: Draw) -> Iterator[tuple[str, Answer]]:
    side = position_effect(sample.ratings)
    assert side is not None and side.left_score is not None and side.adjusted is not None
    truth = sample.win_score
    left = side.left_score.p_value(0.5)
    if sample.effect == 0:
        yield "left side preferred", _answer(left, left)
    yield "adjusted for the side", _answer(side.adjusted.p_value(0.5), side.adjusted.p_value(truth))
    slices = slice_scores(sample.ratings).each
    covered = [one.score.p_value(truth) for one in slices]
    adjusted = [one.p_adjusted for one in slices if one.p_adjusted is not None]
    yield (
        "any of four slices, adjusted",
        Answer(min(adjusted, default=1.0) <= ALPHA),
    )
    yield "one slice", _answer(slices[0].p_value, covered[0])
