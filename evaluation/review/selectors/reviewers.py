"""Reads how reviewers worked, for quality flags, calibration of the sample size, and pay."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from django.core.cache import cache
from django.db.models import Count, Q, QuerySet, Sum
from django.http import Http404

from evaluation import access
from evaluation.models import Assignment, Campaign, Pair, Rating, Reviewer, ReviewItem
from evaluation.review.selectors import counted_ratings
from evaluation.stats.clusters import Clusters
from evaluation.stats.mixed import mixed_mean
from evaluation.stats.reviewers import (
    BOTH_BAD,
    LEFT,
    RIGHT,
    TIE,
    QualityRules,
    ReviewerQuality,
    ReviewerWork,
    flagged,
    reviewer_quality,
    without_side,
)
from evaluation.stats.weights import rating_weights

_PREFERENCE = {"left": LEFT, "right": RIGHT, "tie": TIE, "both_bad": BOTH_BAD}
_MANY = 10_000
_AT_ONCE = 2000  # items whose texts are in memory at once
_SWAPPED = {"left": "right", "right": "left"}


def reviewer(*, campaign: Campaign, number: int) -> Reviewer:
    """One reviewer of a campaign that this user may see."""
    instance = campaign.reviewers.select_related("campaign").filter(number=number).first()
    if instance is None:
        raise Http404
    return instance


def table(campaign: Campaign) -> QuerySet[Reviewer]:
    """Reviewers with the numbers of their real ratings and quality items, and their active time in milliseconds."""
    real = Q(assignments__rating__kind=ReviewItem.Kind.REAL)
    return campaign.reviewers.annotate(
        rated=Count("assignments__rating", filter=real),
        met=Count("assignments__rating", filter=~real),
        active_ms=Sum("assignments__rating__active_ms"),
    ).order_by("number")


def quality(campaign: Campaign) -> dict[int, ReviewerQuality]:
    """Figures and flags by the reviewer's primary key. Nothing in them depends on which side is the candidate's."""
    return {int(one.reviewer): one for one in judged(campaign, work(campaign))}


def judged(campaign: Campaign, done: ReviewerWork) -> tuple[ReviewerQuality, ...]:
    """Figures and flags of every reviewer. Where the sides are not known, nothing is said about them."""
    quality = reviewer_quality(done, QualityRules())
    return quality if campaign.sides_known else tuple(map(without_side, quality))


def recent_quality(campaign: Campaign) -> dict[int, ReviewerQuality]:
    """The same for a page; may be up to a minute old for campaigns whose ratings take seconds to read."""
    key = f"reviewer-quality:{campaign.pk}"
    result: dict[int, ReviewerQuality] | None = cache.get(key)
    if result is None:
        result = quality(campaign)
        if sum(one.n_ratings for one in result.values()) > _MANY:
            cache.set(key, result, timeout=60)
    return result


def work(campaign: Campaign) -> ReviewerWork:
    """All real ratings as their reviewers saw them, with the results of all checks and repeats."""
    rows = list(
        Rating.objects.filter(campaign=campaign, kind=ReviewItem.Kind.REAL)
        .order_by("pk")
        .values_list(
            "assignment__reviewer_id",
            "assignment__item_id",
            "preference",
            "assignment__candidate_left",
            "active_ms",
            "scores",
        )
    )
    words = _words(campaign, {row[1] for row in rows})
    checks, repeats = _checks(campaign), _repeats(campaign)
    return ReviewerWork(
        reviewer=np.array([row[0] for row in rows], dtype=np.int64),
        prompt=np.array([row[1] for row in rows], dtype=np.int64),
        preference=np.array([_PREFERENCE[row[2]] for row in rows], dtype=np.int64),
        first_left=np.array([row[3] for row in rows], dtype=bool),
        active_ms=np.array([row[4] or np.nan for row in rows], dtype=float),
        words=np.array([words[row[1]] if campaign.has_texts else np.nan for row in rows], dtype=float),
        scores={
            name: (
                np.array([_point(row[5], name, "left") for row in rows], dtype=float),
                np.array([_point(row[5], name, "right") for row in rows], dtype=float),
            )
            for name in counted_ratings.side_fields(campaign, "scale")
        },
        check_reviewer=np.array([who for who, _ in checks], dtype=np.int64),
        check_passed=np.array([right for _, right in checks], dtype=bool),
        repeat_reviewer=np.array([who for who, _ in repeats], dtype=np.int64),
        repeat_consistent=np.array([same for _, same in repeats], dtype=bool),
    )


def excluded(campaign: Campaign) -> frozenset[int]:
    """Ids of the reviewers whom the frozen plan's exclusion rule leaves out."""
    rule = tuple(campaign.plan.get("exclusion", ()))
    return flagged(judged(campaign, work(campaign)), rule) if rule else frozenset()


def _point(scores: dict[str, Any], name: str, side: str) -> float:
    value = (scores.get(name) or {}).get(side)
    return float("nan") if value is None else float(value)


def _words(campaign: Campaign, items: set[int]) -> dict[int, int]:
    """Word counts of the prompt and both responses of these items.

    Texts never change, so for large campaigns the counts are cached for an hour.
    """
    key = f"item-words:{campaign.pk}"
    words: dict[int, int] = cache.get(key, {})
    missing = sorted(items - words.keys())
    shown = ("pair__baseline_response__text", "pair__candidate_response__text")
    asked = ("pair__prompt__messages", "pair__prompt__instruction", "pair__prompt__input")
    columns = ("pk", *asked, *shown)
    texts = campaign.items.values_list(*columns).order_by()
    for start in range(0, len(missing), _AT_ONCE):
        for pk, messages, *row in texts.filter(pk__in=missing[start : start + _AT_ONCE]):
            read = [*row, *(turn["content"] for turn in messages)]
            words[pk] = sum(len(str(text).split()) for text in read)
    if missing and len(words) > _MANY:
        cache.set(key, words, timeout=3600)
    return words


def passed(content: Any, *, first_left: bool, preference: str) -> bool:
    """Whether the answer to a quality item is one of those expected. `first_left` says whether its `a` was on the
    left."""
    side = {"left": "a", "right": "b"} if first_left else {"left": "b", "right": "a"}
    expected = content["expected"]
    return preference in expected or side.get(preference) in expected


def _checks(campaign: Campaign) -> list[tuple[int, bool]]:
    """Results of instruction checks only. A preference for the broken side is an opinion and has no consequences."""
    rows = Rating.objects.filter(campaign=campaign, kind=ReviewItem.Kind.CHECK).values_list(
        "assignment__reviewer_id", "assignment__item__content", "assignment__candidate_left", "preference"
    )
    return [
        (who, passed(content, first_left=left, preference=preference))
        for who, content, left, preference in rows
    ]


def _repeats(campaign: Campaign) -> list[tuple[int, bool]]:
    """Whether a swapped repeat got the same answer about the responses."""
    columns = ("assignment__reviewer_id", "assignment__item__pair_id", "preference")
    second = list(Rating.objects.filter(campaign=campaign, kind=ReviewItem.Kind.REPEAT).values_list(*columns))
    if not second:
        return []
    first = {
        (who, pair): preference
        for who, pair, preference in Rating.objects.filter(
            campaign=campaign,
            kind=ReviewItem.Kind.REAL,
            assignment__reviewer__in={row[0] for row in second},
        ).values_list(*columns)
    }
    return [
        (who, first[who, pair] == _SWAPPED.get(again, again))
        for who, pair, again in second
        if (who, pair) in first
    ]


@dataclass(frozen=True)
class Calibration:
    """A pilot's figures for planning the next campaign; none shows who won. `sd` is that of one rating's win score."""

    ratings: int
    sd: float | None
    prompt_share: float | None
    reviewer_share: float | None
    seconds: float | None


def calibration(campaign: Campaign) -> Calibration:
    """Variance components of the win score and the median active time of a rating."""
    ratings = counted_ratings.ratings_arrays(campaign).ratings
    times = list(
        counted_ratings.counted_ratings(campaign).exclude(active_ms=0).values_list("active_ms", flat=True)
    )
    fitted = None
    if len(ratings):
        scores = ratings.win_score
        fitted = mixed_mean(scores, Clusters(ratings.prompt, ratings.reviewer, rating_weights(len(scores))))
    return Calibration(
        ratings=len(ratings),
        sd=fitted.sd if fitted else None,
        prompt_share=fitted.prompt_share if fitted else None,
        reviewer_share=fitted.reviewer_share if fitted else None,
        seconds=float(np.median(times)) / 1000 if times else None,
    )


def held(campaign: Campaign) -> int:
    return Assignment.objects.filter(
        item__campaign=campaign, item__kind=ReviewItem.Kind.REAL, status=Assignment.Status.LEASED
    ).count()


def practice_pair(*, campaign: Campaign, pk: int) -> Pair:
    """A pair of the campaign's comparison that can become a practice item."""
    row = (
        Pair.objects.select_related("prompt", "baseline_response", "candidate_response")
        .filter(comparison=campaign.comparison_id, candidate_model=campaign.candidate_id, sample=0, pk=pk)
        .first()
    )
    if row is None:
        raise Http404
    return row


def invite_of(*, campaign: Campaign, pk: int) -> Any:
    invite = campaign.invites.filter(pk=pk).first()
    if invite is None:
        raise Http404
    return invite


def pilots(*, user: Any) -> QuerySet[Campaign]:
    """Pilots with ratings, whose figures can calibrate a plan."""
    return access.campaigns(user=user).filter(is_pilot=True, ratings__kind="real").distinct()


def pilot(*, user: Any, pk: UUID) -> Campaign:
    campaign = pilots(user=user).filter(pk=pk).first()
    if campaign is None:
        raise Http404
    return campaign
