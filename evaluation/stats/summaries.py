"""Records of a report's sections: frozen, with plain numbers and strings, ready for JSON."""

from dataclasses import dataclass

from evaluation.stats.equivalence import Verdict
from evaluation.stats.panel import PanelTest
from evaluation.stats.reviewers import ReviewerQuality


@dataclass(frozen=True)
class Caution:
    """Something the reader must know beside the verdict. `code` is stable, `message` is for people."""

    code: str
    message: str


@dataclass(frozen=True)
class TestSummary:
    """One of the two inferences behind a headline number."""

    estimate: float | None
    se: float | None
    df: float | None
    p_value: float | None


@dataclass(frozen=True)
class PrimarySummary:
    """The win score (0 … 1).

    The interval has `confidence`; under planned looks it is a repeated interval, which keeps that
    confidence over all looks together, and `p_value` is compared with `significance_level`, this look's part of alpha.
    `chance_better` and `chance_worse` are the chances that the win score is above ½, and below ½ − `margin`, if all
    win scores were equally likely before the ratings: aids to reading, never a test.
    """

    estimate: float | None
    ci_low: float | None
    ci_high: float | None
    confidence: float
    repeated_interval: bool
    p_value: float | None
    significance_level: float
    wins: int
    ties: int
    both_bad: int
    losses: int
    n_ratings: int
    n_prompts: int
    n_reviewers: int
    net_win_rate: float | None
    equivalence_low: float | None
    equivalence_high: float | None
    margin: float
    mean_over_ratings: float | None
    mean_of_prompt_means: float | None
    reviewer_balanced: bool
    clustered: TestSummary
    mixed_model: TestSummary | None
    problem: str | None
    chance_better: float | None = None
    chance_worse: float | None = None


@dataclass(frozen=True)
class CriterionSummary:
    """Difference candidate − baseline in points; `relative_change` as a share of the baseline's mean.

    `se` is the standard error behind the interval, `df` the degrees of freedom of its clustered part.
    """

    name: str
    difference: float | None
    ci_low: float | None
    ci_high: float | None
    p_value: float | None
    p_adjusted: float | None
    significant: bool
    baseline_mean: float | None
    candidate_mean: float | None
    relative_change: float | None
    relative_ci_low: float | None
    relative_ci_high: float | None
    n_ratings: int
    n_missing: int
    problem: str | None
    se: float | None = None
    df: float | None = None


@dataclass(frozen=True)
class AgreementItem:
    """Krippendorff's α of one outcome, over prompts with at least two ratings."""

    name: str
    level: str
    alpha: float | None
    ci_low: float | None
    ci_high: float | None
    ac2: float | None
    ac2_low: float | None
    ac2_high: float | None


@dataclass(frozen=True)
class AgreementSummary:
    """Agreement on the preference first, then per criterion difference.

    Gwet's AC1 (AC2 with quadratic weights for a criterion) stays readable where nearly everybody says the same and
    α falls to its floor.
    """

    alpha: float | None
    ci_low: float | None
    ci_high: float | None
    ac1: float | None
    ac1_low: float | None
    ac1_high: float | None
    percent_agreement: float | None
    n_prompts: int
    criteria: tuple[AgreementItem, ...]


@dataclass(frozen=True)
class PositionSummary:
    """Share that would prefer the left side of equal models (½: no effect), and the win score adjusted for the side.

    Both are None where one side has too few ratings. `balance_p_value` is the exact test that the candidate was on
    the left with probability ½.
    """

    left_score: float | None
    ci_low: float | None
    ci_high: float | None
    p_value: float | None
    candidate_left_share: float | None
    balance_p_value: float | None
    adjusted_estimate: float | None
    adjusted_ci_low: float | None
    adjusted_ci_high: float | None


@dataclass(frozen=True)
class LookSummary:
    """Which planned look this is and what it costs. `bound` is the critical |z|, 1.96 without looks."""

    number: int
    planned: int
    fraction: float
    is_final: bool
    bound: float
    significance_level: float
    alpha_spent: float
    cost: str


@dataclass(frozen=True)
class StageSummary:
    """The win score of one stage alone, with the interval at the level of a stage. `campaign` is empty for this one.

    `z` is `log_odds` over `se`, which is reached by the bound exactly where the stage alone is significant.
    """

    campaign: str
    estimate: float
    ci_low: float
    ci_high: float
    log_odds: float
    se: float
    z: float
    n_ratings: int
    n_prompts: int
    n_reviewers: int


@dataclass(frozen=True)
class StagesSummary:
    """A campaign that may be extended, or extends another one: stage `number` of at most `planned`.

    The verdict rests on `estimate`, its interval and `p_value` over `each` stage, and not on the primary outcome of
    this campaign's ratings alone. They are None if this stage has no test. `extensible`: the plan allows another stage,
    and this one has a test that it can be combined with.
    """

    number: int
    planned: int
    bound: float
    significance_level: float
    estimate: float | None
    ci_low: float | None
    ci_high: float | None
    z: float | None
    p_value: float | None
    each: tuple[StageSummary, ...]
    extensible: bool
    cost: str


@dataclass(frozen=True)
class ReviewerSummary:
    """One reviewer, by the code of `Ratings.reviewer` or by its label where the report was given labels."""

    reviewer: int | str
    n_ratings: int
    share: float
    win_score: float


@dataclass(frozen=True)
class ReviewersSummary:
    """The panel. `effective` counts reviewers as if all had rated equally often."""

    n: int
    effective: float
    largest_share: float | None
    each: tuple[ReviewerSummary, ...]


@dataclass(frozen=True)
class PanelSummary:
    """Tests for these reviewers only; they cannot carry a claim about users."""

    label: str
    tests: tuple[PanelTest, ...]


@dataclass(frozen=True)
class EffectSummary:
    """One effect size with its interval; `kind` says of what and in which unit."""

    name: str
    kind: str
    value: float | None
    ci_low: float | None
    ci_high: float | None


@dataclass(frozen=True)
class CriterionVariation:
    """Shares of the variance of one rating's difference on a criterion, and its standard deviation in points."""

    name: str
    prompt_share: float | None
    reviewer_share: float | None
    residual_share: float | None
    sd: float | None


@dataclass(frozen=True)
class VariationSummary:
    """Shares of the variance of one rating's win score, then of each criterion's difference.

    None where the mixed model was not fitted: too few ratings, or hundreds of prompts and of reviewers.
    """

    prompt_share: float | None
    reviewer_share: float | None
    residual_share: float | None
    sd: float | None
    criteria: tuple[CriterionVariation, ...]


@dataclass(frozen=True)
class WatchSummary:
    """The report as one moment of a confidence sequence. `bound` is the critical |z| now, 1.96 when seen once."""

    planned_se: float
    bound: float
    significance_level: float
    cost: str


@dataclass(frozen=True)
class YesNoSummary:
    """Share of "yes" (0 … 1) of both sides and their difference candidate − baseline.

    `relative_change` is a share of the baseline's share. `p_adjusted` belongs to one family with the criteria.
    """

    name: str
    difference: float | None
    ci_low: float | None
    ci_high: float | None
    p_value: float | None
    p_adjusted: float | None
    significant: bool
    baseline_share: float | None
    baseline_low: float | None
    baseline_high: float | None
    candidate_share: float | None
    candidate_low: float | None
    candidate_high: float | None
    relative_change: float | None
    relative_ci_low: float | None
    relative_ci_high: float | None
    n_ratings: int
    n_missing: int
    problem: str | None
    se: float | None = None
    df: float | None = None


@dataclass(frozen=True)
class LengthSummary:
    """Lengths in words, the share of ratings where the candidate's response was the longer one (ties half), and the
    win score as if both had been equally long: a check beside the headline, never instead of it."""

    baseline_mean: float
    candidate_mean: float
    candidate_longer_share: float
    adjusted_estimate: float | None
    adjusted_ci_low: float | None
    adjusted_ci_high: float | None
    p_value: float | None
    n_ratings: int


@dataclass(frozen=True)
class SliceSummary:
    """Win score inside one part of the prompts. `pooled` is shrunken towards the mean of the slicing's parts."""

    slicing: str
    label: str
    estimate: float | None
    ci_low: float | None
    ci_high: float | None
    p_value: float | None
    p_adjusted: float | None
    n_ratings: int
    n_prompts: int
    n_reviewers: int
    problem: str | None
    pooled: float | None = None
    pooled_low: float | None = None
    pooled_high: float | None = None


@dataclass(frozen=True)
class SlicesSummary:
    """`label` says that these are exploratory; `omitted` counts parts too small or too many to show."""

    label: str
    each: tuple[SliceSummary, ...]
    omitted: int


@dataclass(frozen=True)
class ExclusionSide:
    """The headline for one choice of ratings."""

    verdict: Verdict
    estimate: float | None
    ci_low: float | None
    ci_high: float | None
    p_value: float | None
    n_ratings: int
    n_reviewers: int


@dataclass(frozen=True)
class ExclusionsSummary:
    """The headline with and without the ratings that the rule hits.

    `rule` are the flags of the frozen plan; where it is empty nothing was excluded and `kept` only shows what leaving
    out flagged reviewers would do. `applied` says that the headline above is `kept`.
    """

    rule: tuple[str, ...]
    applied: bool
    n_ratings: int
    n_reviewers: int
    everything: ExclusionSide
    kept: ExclusionSide
    changes_verdict: bool


@dataclass(frozen=True)
class QualitySummary:
    """How many reviewers' work was looked at, and those whom a rule flagged, with the reasons."""

    judged: int
    flagged: tuple[ReviewerQuality, ...]


@dataclass(frozen=True)
class Bin:
    """How many prompts have a mean win score from `low` up to `high`; the last bin includes its end."""

    low: float
    high: float
    count: int


@dataclass(frozen=True)
class PromptScore:
    """One prompt, by the code of `Ratings.prompt` or by its label where the report was given labels."""

    prompt: int | str
    win_score: float
    n_ratings: int


@dataclass(frozen=True)
class PromptsSummary:
    """Prompts on which the candidate did better than, as well as and worse than the baseline."""

    above: int
    level: int
    below: int
    histogram: tuple[Bin, ...]
    risen: tuple[PromptScore, ...]
    fallen: tuple[PromptScore, ...]
