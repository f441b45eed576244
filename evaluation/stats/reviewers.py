"""Quality flags for each reviewer. They use reviewer behaviour only, never which model wrote a response.

Every rule compares one reviewer with the time that reading needs, with chance, or with the panel. Sources:
Brysbaert (2019), How many words do we read per minute?, J. Memory and Language 109, for silent reading at
175–300 words a minute; Carver (1992), Reading rate, J. Reading 36, for scanning without comprehension from
600; Curran (2016), Methods for the detection of carelessly invalid responses, J. Experimental Social
Psychology 66, for long runs of one answer and agreement with the others; Prolific's attention-check policy
for two failed checks.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import stats

from evaluation.stats.arrays import BoolArray, FloatArray, IntArray, dense_codes, group_sums
from evaluation.stats.multiplicity import holm

FlagCode = Literal[
    "too_fast", "straight_lining", "side_sticking", "low_agreement", "failed_checks", "inconsistent"
]
FLAG_CODES: tuple[FlagCode, ...] = get_args(FlagCode)
LEFT, RIGHT, TIE, BOTH_BAD = range(4)
# One-sided 99.9 %: a reviewer is flagged only if chance is an unlikely explanation.
_AGREEMENT_Z = 3.090
_NEARLY_ONE = 1 - 1e-12


@dataclass(frozen=True, eq=False)
class ReviewerWork:
    """n ratings as their reviewers saw them.

    `reviewer` and `prompt` (n,) are any integers. `preference` (n,) is LEFT, RIGHT, TIE or BOTH_BAD.
    `first_left` (n,) is true if one fixed response of the pair was on the left; the choice of that response
    does not matter. `active_ms` (n,) is in milliseconds and `words` (n,) counts the words of the prompt and
    both responses; both are NaN where unknown. `scores` maps a criterion to its (left, right) scores (n,),
    NaN where not given. Check items and repeated pairs are separate arrays with one entry each: the reviewer,
    and whether the check was passed or the repeated answer was the same. Raises ValueError if columns that
    belong together differ in length.
    """

    reviewer: IntArray
    prompt: IntArray
    preference: IntArray
    first_left: BoolArray
    active_ms: FloatArray
    words: FloatArray
    scores: Mapping[str, tuple[FloatArray, FloatArray]] = field(default_factory=dict)
    check_reviewer: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    check_passed: BoolArray = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    repeat_reviewer: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    repeat_consistent: BoolArray = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))

    def __post_init__(self) -> None:
        columns: list[npt.NDArray[np.generic]] = [self.prompt, self.preference, self.first_left]
        columns += [self.active_ms, self.words, *(side for pair in self.scores.values() for side in pair)]
        if any(column.shape != self.reviewer.shape for column in columns):
            raise ValueError("every column of the ratings must have the same length")
        if (
            self.check_reviewer.shape != self.check_passed.shape
            or self.repeat_reviewer.shape != self.repeat_consistent.shape
        ):
            raise ValueError("checks and repeats need one reviewer for each entry")


@dataclass(frozen=True)
class QualityRules:
    """Thresholds of the flags. The defaults come from the sources above; they are frozen with the plan.

    A rating is rushed if its active time is less than its words need at `words_per_minute`, or less than
    `own_pace` times the reviewer's own median time per word. No flag is raised for fewer than `enough`
    ratings of the kind that a rule uses.
    """

    words_per_minute: float = 600.0
    own_pace: float = 1 / 3
    rushed_share: float = 0.3
    same_share: float = 0.8
    side_share: float = 0.7
    side_level: float = 0.001
    enough: int = 10
    failed_checks: int = 2
    enough_repeats: int = 3
    consistent_share: float = 0.5


@dataclass(frozen=True)
class Flag:
    """One rule that a reviewer's work met, and why, in words for a person."""

    code: FlagCode
    reason: str


@dataclass(frozen=True)
class ReviewerQuality:
    """One reviewer's figures; None where there was nothing to compute them from.

    `words_per_minute` is the median; `same_share` the largest share of ratings with one and the same score, or one
    and the same score sheet, throughout; `left_share` is of the ratings with a preferred side and `side_p_value` its
    exact test against ½; `agreement` (−1 … 1) is the cosine of own votes with the others' mean vote on the
    `n_compared` prompts that others rated too.
    """

    reviewer: int | str
    n_ratings: int
    words_per_minute: float | None
    rushed_share: float | None
    same_share: float | None
    left_share: float | None
    side_p_value: float | None
    agreement: float | None
    n_compared: int
    checks: int
    checks_failed: int
    repeats: int
    repeats_consistent: int
    flags: tuple[Flag, ...]


def reviewer_quality(work: ReviewerWork, rules: QualityRules | None = None) -> tuple[ReviewerQuality, ...]:
    """Figures and flags of every reviewer with a rating, check or repeat, in the order of their numbers."""
    rules = rules or QualityRules()
    everybody = np.unique(np.concatenate([work.reviewer, work.check_reviewer, work.repeat_reviewer]))
    who = np.searchsorted(everybody, work.reviewer).astype(np.int64)
    count = len(everybody)
    pace, rushed, timed = _reading(work, who, count, rules)
    same, sheets = _sameness(work, who, count)
    left, decided, side_p = _sides(work, who, count)
    agreement, compared = _agreement(work, who, count)
    checks, passed = _tally(everybody, work.check_reviewer, work.check_passed)
    repeats, consistent = _tally(everybody, work.repeat_reviewer, work.repeat_consistent)
    numbers = np.bincount(who, minlength=count)
    unflagged = [
        ReviewerQuality(
            reviewer=int(everybody[i]),
            n_ratings=int(numbers[i]),
            words_per_minute=_number(pace[i]),
            rushed_share=_number(rushed[i]),
            same_share=_number(same[i]),
            left_share=_number(left[i]),
            side_p_value=_number(side_p[i]),
            agreement=_number(agreement[i]),
            n_compared=int(compared[i]),
            checks=int(checks[i]),
            checks_failed=int(checks[i] - passed[i]),
            repeats=int(repeats[i]),
            repeats_consistent=int(consistent[i]),
            flags=(),
        )
        for i in range(count)
    ]
    known = np.isfinite(side_p)
    adjusted = np.ones(count)
    adjusted[known] = holm(side_p[known])
    usual = float(np.median(agreement[np.isfinite(agreement)])) if np.isfinite(agreement).any() else math.nan
    seen = zip(unflagged, timed, sheets, decided, adjusted, strict=True)
    return tuple(_with_flags(one, int(t), int(s), int(d), float(a), usual, rules) for one, t, s, d, a in seen)


def flagged(quality: tuple[ReviewerQuality, ...], codes: tuple[str, ...]) -> frozenset[int]:
    """The numbers of the reviewers with at least one flag in `codes`."""
    return frozenset(int(one.reviewer) for one in quality if any(flag.code in codes for flag in one.flags))


def without_side(one: ReviewerQuality) -> ReviewerQuality:
    """The same figures without the preference for a side."""
    flags = tuple(flag for flag in one.flags if flag.code != "side_sticking")
    return replace(one, left_share=None, side_p_value=None, flags=flags)


def _with_flags(
    one: ReviewerQuality,
    timed: int,
    sheets: int,
    decided: int,
    side_p: float,
    usual: float,
    rules: QualityRules,
) -> ReviewerQuality:
    flags = (
        *_speed_flag(one, timed, rules),
        *_same_flag(one, sheets, rules),
        *_side_flag(one, decided, side_p, rules),
        *_agreement_flag(one, usual, rules),
        *_check_flags(one, rules),
    )
    return ReviewerQuality(**{**vars(one), "flags": flags})


def _speed_flag(one: ReviewerQuality, timed: int, rules: QualityRules) -> Iterator[Flag]:
    share, speed = one.rushed_share, one.words_per_minute
    if share is None or timed < rules.enough or share < rules.rushed_share:
        return
    own = "no time at all" if speed is None else f"{speed:,.0f} words a minute"
    yield Flag(
        "too_fast",
        f"{100 * share:.0f} % of {timed} timed ratings took less time than reading needs (faster than "
        f"{rules.words_per_minute:g} words a minute, or than {1 / rules.own_pace:.2g} times the reviewer's own usual "
        f"pace, which is {own}).",
    )


def _same_flag(one: ReviewerQuality, sheets: int, rules: QualityRules) -> Iterator[Flag]:
    if one.same_share is None or sheets < rules.enough or one.same_share < rules.same_share:
        return
    yield Flag(
        "straight_lining",
        f"{100 * one.same_share:.0f} % of {sheets} score sheets hold one number throughout, or are the same sheet.",
    )


def _side_flag(one: ReviewerQuality, decided: int, p: float, rules: QualityRules) -> Iterator[Flag]:
    if one.left_share is None or decided < rules.enough or p > rules.side_level:
        return
    share, side = max((one.left_share, "left"), (1 - one.left_share, "right"))
    if share >= rules.side_share:
        yield Flag(
            "side_sticking",
            f"Chose the {side} side in {100 * share:.0f} % of {decided} decided ratings although sides are drawn by "
            f"lot (exact binomial test, p {_p(p)} over all reviewers).",
        )


def _agreement_flag(one: ReviewerQuality, usual: float, rules: QualityRules) -> Iterator[Flag]:
    if one.agreement is None or one.n_compared < rules.enough or not math.isfinite(usual):
        return
    # Fisher's z is infinite if all votes agree or none do.
    z = math.atanh(min(max(one.agreement, -_NEARLY_ONE), _NEARLY_ONE))
    bound = math.tanh(z + _AGREEMENT_Z / math.sqrt(one.n_compared))
    if bound < usual - 1e-9:
        yield Flag(
            "low_agreement",
            f"Agreement with the others on {one.n_compared} shared prompts is {one.agreement:.2f}; half of the "
            f"panel reaches {usual:.2f}, and chance alone rarely explains the gap.",
        )


def _check_flags(one: ReviewerQuality, rules: QualityRules) -> Iterator[Flag]:
    failed = one.checks_failed
    if failed and (failed >= rules.failed_checks or failed == one.checks):
        yield Flag("failed_checks", f"Failed {failed} of {one.checks} instruction checks.")
    if one.repeats >= rules.enough_repeats and one.repeats_consistent < rules.consistent_share * one.repeats:
        yield Flag(
            "inconsistent",
            f"Answered {one.repeats_consistent} of {one.repeats} repeated pairs the same way.",
        )


def _reading(
    work: ReviewerWork, who: IntArray, count: int, rules: QualityRules
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Median words per minute, share of rushed ratings, and number of timed ratings, per reviewer."""
    known = np.isfinite(work.active_ms) & (work.words > 0) & (work.active_ms >= 0)
    minutes = work.active_ms[known] / 60_000 / work.words[known]
    owner = who[known]
    timed = np.bincount(owner, minlength=count)
    median = _group_medians(minutes, owner, count)
    rushed = (minutes < 1 / rules.words_per_minute) | (minutes < rules.own_pace * median[owner])
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.bincount(owner, rushed, count) / timed
        return np.where(median > 0, 1 / median, math.nan), share, timed


def _group_medians(values: FloatArray, group: IntArray, count: int) -> FloatArray:
    order = np.lexsort((values, group))
    sizes = np.bincount(group, minlength=count)
    start = np.cumsum(sizes) - sizes
    medians = np.full(count, math.nan)
    some = sizes > 0
    low, high = start + np.maximum(sizes - 1, 0) // 2, start + sizes // 2
    ordered = values[order]
    medians[some] = (ordered[low[some]] + ordered[high[some]]) / 2
    return medians


def _sameness(work: ReviewerWork, who: IntArray, count: int) -> tuple[FloatArray, IntArray]:
    """Largest share of uniform or of identical score sheets, and the number of sheets with at least three scores."""
    columns = [side for pair in work.scores.values() for side in pair]
    if not columns:
        return np.full(count, math.nan), np.zeros(count, dtype=np.int64)
    table = np.column_stack(columns)
    given = np.isfinite(table).sum(1) >= 3
    table, owner = table[given], who[given]
    sheets = np.bincount(owner, minlength=count)
    low, high = (
        np.where(np.isnan(table), np.inf, table).min(1),
        np.where(np.isnan(table), -np.inf, table).max(1),
    )
    flat = np.bincount(owner, low == high, count)
    sheet = owner
    for column in table.T:
        sheet = dense_codes(sheet * (len(table) + 1) + dense_codes(column))
    most = np.zeros(count)
    if len(sheet):
        times = np.bincount(sheet)[sheet]
        np.maximum.at(most, owner, times)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.maximum(flat, most) / np.where(sheets, sheets, math.nan), sheets


def _sides(work: ReviewerWork, who: IntArray, count: int) -> tuple[FloatArray, IntArray, FloatArray]:
    """Share of LEFT in decided ratings, their number, and the exact two-sided p-value of H0: ½, per reviewer."""
    left = np.bincount(who, work.preference == LEFT, count)
    right = np.bincount(who, work.preference == RIGHT, count)
    decided = left + right
    with np.errstate(divide="ignore", invalid="ignore"):
        share = left / decided
    p = np.minimum(2 * stats.binom.cdf(np.minimum(left, right), decided, 0.5), 1.0)
    return share, decided.astype(np.int64), np.where(decided > 0, p, math.nan)


def _agreement(work: ReviewerWork, who: IntArray, count: int) -> tuple[FloatArray, IntArray]:
    """Cosine of each reviewer's votes (−1, 0, 1) and the mean vote of the others on the same prompts."""
    if not len(who):
        return np.full(count, math.nan), np.zeros(count, dtype=np.int64)
    toward = np.where(work.preference == LEFT, 1.0, np.where(work.preference == RIGHT, -1.0, 0.0))
    vote = np.where(work.first_left, toward, -toward)
    prompt = dense_codes(work.prompt)
    others = np.bincount(prompt)[prompt] - 1
    shared = others > 0
    mean = (group_sums(vote, prompt)[prompt] - vote)[shared] / others[shared]
    vote, owner = vote[shared], who[shared]
    length = np.sqrt(np.bincount(owner, vote * vote, count) * np.bincount(owner, mean * mean, count))
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.bincount(owner, vote * mean, count) / length
    return np.where(length > 0, cosine, math.nan), np.bincount(owner, minlength=count)


def _tally(everybody: IntArray, reviewer: IntArray, good: BoolArray) -> tuple[IntArray, IntArray]:
    who = np.searchsorted(everybody, reviewer)
    size = len(everybody)
    return np.bincount(who, minlength=size), np.bincount(who[good], minlength=size)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
