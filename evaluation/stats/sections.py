"""Compute each section of the report from the ratings and the levels of this analysis."""

from collections.abc import Iterator, Mapping

import numpy as np

from evaluation.stats.arrays import FloatArray, IntArray, distinct, group_sums
from evaluation.stats.criteria import CriterionResult, criterion_difference
from evaluation.stats.effects import (
    Alike,
    EffectSize,
    cliffs_delta,
    effect_sizes,
    matched_rank_biserial,
    prompt_means,
    standardised_mean,
)
from evaluation.stats.estimate import Estimate, Interval
from evaluation.stats.headline import Headline
from evaluation.stats.levels import Levels
from evaluation.stats.panel import majorities, sign_flip, signed_rank
from evaluation.stats.plan import Plan
from evaluation.stats.position import position_effect
from evaluation.stats.primary import NO_PREFERENCE, WinScore
from evaluation.stats.ratings import SCORE_OF_OUTCOME, Ratings
from evaluation.stats.reliability import (
    FixedLevel,
    GwetWeights,
    alpha_interval,
    gwet_ac,
    gwet_interval,
    krippendorff_alpha,
    percent_agreement,
    rating_table,
)
from evaluation.stats.summaries import (
    AgreementItem,
    AgreementSummary,
    CriterionSummary,
    CriterionVariation,
    EffectSummary,
    PanelSummary,
    PositionSummary,
    PrimarySummary,
    ReviewersSummary,
    ReviewerSummary,
    TestSummary,
    VariationSummary,
)

# Resampling time is proportional to the ratings, and large data need fewer replicates.
_RESAMPLED_RATINGS = 4_000_000
_REPLICATES = (50, 400)


def primary_summary(
    ratings: Ratings, score: WinScore, plan: Plan, levels: Levels, submitted: int
) -> PrimarySummary:
    """Summary of the primary outcome. `submitted` counts the ratings before exclusions."""
    low, high = ends(score.interval(levels.interval))
    inner_low, inner_high = ends(score.interval(levels.equivalence))
    mixed = score.headline.mixed
    above_margin = score.mean.chance_above(NO_PREFERENCE - plan.margin)
    return PrimarySummary(
        estimate=score.value,
        ci_low=low,
        ci_high=high,
        confidence=levels.stated,
        repeated_interval=levels.repeated,
        p_value=score.p_value(),
        significance_level=levels.significance,
        wins=score.counts["win"],
        ties=score.counts["tie"],
        both_bad=score.counts["both_bad"],
        losses=score.counts["loss"],
        n_ratings=score.n_ratings,
        n_prompts=score.n_prompts,
        n_reviewers=score.n_reviewers,
        net_win_rate=None if score.value is None else 2 * score.value - 1,
        equivalence_low=inner_low,
        equivalence_high=inner_high,
        margin=plan.margin,
        mean_over_ratings=float(ratings.win_score.mean()) if len(ratings) else None,
        mean_of_prompt_means=float(prompt_means(ratings.win_score, ratings.prompt).mean())
        if len(ratings)
        else None,
        reviewer_balanced=score.balanced_weights,
        clustered=_test(score.headline.clustered),
        mixed_model=_test(mixed.weighted) if mixed else None,
        chance_better=score.mean.chance_above(NO_PREFERENCE),
        chance_worse=None if above_margin is None else 1 - above_margin,
        problem=score.problem if len(ratings) or not submitted else "the exclusion rule leaves no rating",
    )


def criteria_results(ratings: Ratings, plan: Plan) -> dict[str, CriterionResult | None]:
    """Inference for every planned criterion in order; None for a criterion that the data lack."""
    names = tuple(ratings.criteria) if plan.criteria is None else plan.criteria
    return {name: criterion_difference(ratings, name) if name in ratings.criteria else None for name in names}


def criterion_summary(
    name: str, result: CriterionResult | None, n: int, levels: Levels, adjusted: float
) -> CriterionSummary:
    if result is None:
        nothing = (None,) * 3
        return CriterionSummary(
            name, *nothing, None, None, False, None, None, *nothing, 0, n, "the data do not have it"
        )
    p = result.difference.p_value()
    low, high = ends(result.difference.interval(levels.interval))
    relative_low, relative_high = ends(result.relative.interval(levels.interval))
    clustered = result.difference.headline.clustered
    return CriterionSummary(
        name=name,
        difference=result.difference.value,
        ci_low=low,
        ci_high=high,
        p_value=p,
        p_adjusted=None if p is None else adjusted,
        significant=p is not None and adjusted <= levels.significance,
        baseline_mean=result.baseline_mean,
        candidate_mean=result.candidate_mean,
        relative_change=result.relative.value,
        relative_ci_low=relative_low,
        relative_ci_high=relative_high,
        n_ratings=clustered.n_ratings,
        n_missing=result.n_missing,
        problem=result.difference.problem,
        se=result.difference.se,
        df=clustered.df,
    )


def agreement_summary(ratings: Ratings, names: tuple[str, ...], seed: int) -> AgreementSummary:
    """Agreement on the preference, and on the difference of each criterion."""
    outcome = ratings.outcome.astype(np.float64)
    table = rating_table(ratings.prompt, outcome)
    first = _agreement("preference", ratings.prompt, outcome, "nominal", seed)
    items = []
    for name in names:
        baseline, candidate = ratings.criteria[name]
        difference = candidate - baseline
        scored = np.isfinite(difference)
        items.append(_agreement(name, ratings.prompt[scored], difference[scored], "interval", seed))
    return AgreementSummary(
        alpha=first.alpha,
        ci_low=first.ci_low,
        ci_high=first.ci_high,
        ac1=gwet_ac(table),
        ac1_low=first.ac2_low,
        ac1_high=first.ac2_high,
        percent_agreement=percent_agreement(table),
        n_prompts=len(table.paired().counts),
        criteria=tuple(items),
    )


def _agreement(name: str, prompt: IntArray, value: FloatArray, level: FixedLevel, seed: int) -> AgreementItem:
    table = rating_table(prompt, value)
    replicates = _replicates(len(value))
    low, high = ends(alpha_interval(table, level, seed=seed, replicates=replicates))
    kind: GwetWeights = "identity" if level == "nominal" else "quadratic"
    ac_low, ac_high = ends(gwet_interval(table, kind, seed=seed, replicates=replicates))
    return AgreementItem(
        name, level, krippendorff_alpha(table, level), low, high, gwet_ac(table, kind), ac_low, ac_high
    )


def position_summary(ratings: Ratings, levels: Levels) -> PositionSummary | None:
    """The side effect is tested at the full level, because seeing it early does not affect the verdict."""
    result = position_effect(ratings)
    if result is None:
        return None
    left, adjusted = result.left_score, result.adjusted
    low, high = ends(left.interval(levels.stated) if left else None)
    adjusted_low, adjusted_high = ends(adjusted.interval(levels.interval) if adjusted else None)
    return PositionSummary(
        left_score=left.value if left else None,
        ci_low=low,
        ci_high=high,
        p_value=left.p_value(NO_PREFERENCE) if left else None,
        candidate_left_share=result.candidate_left_share,
        balance_p_value=result.balance_p_value,
        adjusted_estimate=adjusted.value if adjusted else None,
        adjusted_ci_low=adjusted_low,
        adjusted_ci_high=adjusted_high,
    )


def reviewers_summary(ratings: Ratings, effective: float) -> ReviewersSummary:
    n = len(ratings)
    if not n:
        return ReviewersSummary(0, 0.0, None, ())
    numbers = np.bincount(ratings.reviewer)
    scores = group_sums(ratings.win_score, ratings.reviewer) / numbers
    each = tuple(
        ReviewerSummary(code, int(number), float(number / n), float(score))
        for code, (number, score) in enumerate(zip(numbers, scores, strict=True))
    )
    return ReviewersSummary(len(each), effective, float(numbers.max() / n), each)


def panel_summary(ratings: Ratings, seed: int) -> PanelSummary:
    differences = prompt_means(ratings.win_score, ratings.prompt) - NO_PREFERENCE
    # Rounding errors in means of thirds and the like would break ties between equal prompts.
    differences = np.round(differences, 9)
    tests = (sign_flip(differences, seed=seed), signed_rank(differences), majorities(differences))
    return PanelSummary("this panel only", tests if len(ratings) else ())


def effect_summaries(
    ratings: Ratings, primary: PrimarySummary, names: tuple[str, ...], seed: int
) -> tuple[EffectSummary, ...]:
    """The net win rate, then standardised effect sizes of the win score and of each criterion."""
    net = None
    if primary.ci_low is not None and primary.ci_high is not None:
        net = Interval(2 * primary.ci_low - 1, 2 * primary.ci_high - 1)
    first = _effect("net_win_rate", "wins − losses, share of ratings", EffectSize(primary.net_win_rate, net))
    return (first, *_resampled_effects(ratings, names, seed))


def _resampled_effects(ratings: Ratings, names: tuple[str, ...], seed: int) -> Iterator[EffectSummary]:
    measures = [_preference_effect(ratings), *(_criterion_effects(ratings, name) for name in names)]
    sizes = effect_sizes(
        [alike for _, alike in measures],
        ratings.prompt,
        ratings.reviewer,
        seed=seed,
        replicates=_replicates(len(ratings)),
    )
    labels = [label for labels, _ in measures for label in labels]
    for (name, kind), size in zip(labels, sizes, strict=True):
        yield _effect(name, kind, size)


_SINGLE = "standard deviation of single ratings"
_Labels = list[tuple[str, str]]


def _preference_effect(ratings: Ratings) -> tuple[_Labels, Alike]:
    outcomes, code = distinct(ratings.outcome)
    statistic = standardised_mean(SCORE_OF_OUTCOME[outcomes] - NO_PREFERENCE)
    return [("preference_dz", f"mean over the {_SINGLE}")], Alike(code, len(outcomes), (statistic,))


def _criterion_effects(ratings: Ratings, name: str) -> tuple[_Labels, Alike]:
    """Group the ratings with equal scores on both sides. A rating without both scores does not count."""
    before, after = ratings.criteria[name]
    scored = np.isfinite(before) & np.isfinite(after)
    (low, of_before), (high, of_after) = distinct(before[scored]), distinct(after[scored])
    pairs, group = distinct(of_before * np.int64(max(len(high), 1)) + of_after)
    code = np.full(len(ratings), -1, dtype=np.int64)
    code[scored] = group
    baseline, candidate = low[pairs // max(len(high), 1)], high[pairs % max(len(high), 1)]
    difference = candidate - baseline
    labels = [
        (f"{name}_dz", f"mean difference over the {_SINGLE}"),
        (f"{name}_rank_biserial", "matched rank-biserial"),
        (f"{name}_cliffs_delta", "Cliff's δ, all scores"),
    ]
    statistics = (
        standardised_mean(difference),
        matched_rank_biserial(difference),
        cliffs_delta(candidate, baseline),
    )
    return labels, Alike(code, len(pairs), statistics)


def variation_summary(score: WinScore, criteria: Mapping[str, CriterionResult | None]) -> VariationSummary:
    """Variance components, as estimated by the mixed models of the headline and the criteria."""
    return VariationSummary(
        *_variation(score.headline),
        criteria=tuple(
            CriterionVariation(name, *_variation(result.difference.headline))
            for name, result in criteria.items()
            if result is not None
        ),
    )


def _variation(found: Headline) -> tuple[float | None, float | None, float | None, float | None]:
    mixed = found.mixed
    if mixed is None:
        return None, None, None, None
    return mixed.prompt_share, mixed.reviewer_share, mixed.residual_share, mixed.sd


def _replicates(n: int) -> int:
    least, most = _REPLICATES
    return min(max(_RESAMPLED_RATINGS // max(n, 1), least), most)


def _effect(name: str, kind: str, size: EffectSize) -> EffectSummary:
    return EffectSummary(name, kind, size.value, *ends(size.interval))


def _test(estimate: Estimate) -> TestSummary:
    return TestSummary(estimate.value, estimate.se, estimate.df, estimate.p_value(NO_PREFERENCE))


def ends(interval: Interval | None) -> tuple[float | None, float | None]:
    return (None, None) if interval is None else (interval.low, interval.high)
