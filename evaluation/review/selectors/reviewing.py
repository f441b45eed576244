"""Reads what reviewers may know of their own work: never which model wrote a response, never a result."""

from statistics import median
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, F, Q, QuerySet
from django.http import Http404

from evaluation.access import get_or_404
from evaluation.comparison.turns import last_question
from evaluation.models import Assignment, Campaign, Invite, Rating, Remark, Reviewer, ReviewItem
from ftplatform.accounts.models import AuditEntry
from ftplatform.text.turns import shown_turns

ENOUGH = 10  # minimum number of comparisons for a meaningful share
SHORT = 90  # characters of a prompt that identify it in a list
Kind = ReviewItem.Kind


def own_ratings(reviewer: Reviewer) -> QuerySet[Rating]:
    """This reviewer's ratings, latest first. Quality items are included, so that reviewers cannot recognise them."""
    mine = Rating.objects.filter(assignment__reviewer=reviewer)
    related = ("assignment__item__pair__prompt", "assignment__reviewer__campaign")
    return mine.select_related(*related).order_by("-submitted_at", "-pk")


def own_rating(reviewer: Reviewer, token: UUID) -> Rating:
    """One of this reviewer's ratings by its pair's token; 404 if there is none."""
    rating = own_ratings(reviewer).filter(assignment__token=token).first()
    if rating is None:
        raise Http404
    return rating


def prompt_line(item: ReviewItem) -> str:
    """The beginning of the prompt, as one line."""
    prompt = item.prompt
    if "messages" in prompt:
        text = last_question(shown_turns(prompt["messages"]))
    else:
        given = prompt["input"]
        values = list(given.values()) if isinstance(given, dict) else [given]
        texts = [value for value in values if isinstance(value, str) and value.strip()]
        text = texts[-1] if texts else prompt["instruction"]
    line = " ".join(text.split())
    return line if len(line) <= SHORT else f"{line[:SHORT].rsplit(' ', 1)[0]} …"


def own_figures(reviewer: Reviewer) -> dict[str, Any]:
    """Pace, choices and consistency.

    Agreement with others is shown only to reviewers who have finished, so that it cannot influence their ratings.
    """
    rows = list(
        Rating.objects.filter(assignment__reviewer=reviewer).values_list(
            "kind", "preference", "active_ms", "assignment__item__pair", "assignment__candidate_left"
        )
    )
    real = [row for row in rows if row[0] == Kind.REAL]
    chosen = {name: sum(row[1] == name for row in real) for name in Rating.Preference.values}
    first = {pair: _response(preference, left) for _, preference, _, pair, left in real}
    again = [
        first.get(pair) == _response(preference, left)
        for kind, preference, _, pair, left in rows
        if kind == Kind.REPEAT
    ]
    through = reviewer.status == Reviewer.Status.COMPLETED or reviewer.campaign.is_over
    return {
        **chosen,
        "seconds": round(median(row[2] for row in real) / 1000) if real else None,
        "minutes": round(sum(row[2] for row in rows) / 60_000),
        "repeats": len(again),
        "repeats_same": sum(again),
        "agreement": _agreement(reviewer, first) if through else None,
    }


def _response(preference: str, candidate_left: bool) -> str:
    """Name the preferred response independently of the side it was on."""
    if preference not in ("left", "right"):
        return preference
    return "one" if (preference == "left") == candidate_left else "other"


def _agreement(reviewer: Reviewer, mine: dict[int, str]) -> int | None:
    """Percentage of comparisons with others on the same pairs in which both gave the same answer; None if too few."""
    others = (
        Rating.objects.filter(campaign=reviewer.campaign_id, kind=Kind.REAL, assignment__item__pair__in=mine)
        .exclude(assignment__reviewer=reviewer)
        .values_list("assignment__item__pair", "preference", "assignment__candidate_left")
    )
    same = [mine[pair] == _response(preference, left) for pair, preference, left in others]
    return round(100 * sum(same) / len(same)) if len(same) >= ENOUGH else None


def remarks(campaign: Campaign) -> QuerySet[Remark]:
    """Skipped and reported pairs, latest first, for users who may see the campaign."""
    rows = Remark.objects.filter(assignment__item__campaign=campaign)
    return rows.select_related("assignment__item", "assignment__reviewer").order_by("-made_at", "-pk")


def skipped_by_all(campaign: Campaign) -> int:
    """The number of pairs that lack ratings and that several reviewers skipped. They may never get enough ratings."""
    skipped = Count("assignments", filter=Q(assignments__status=Assignment.Status.SKIPPED))
    return (
        campaign.items.annotate(skipped=skipped, needed=F("open_slots"))
        .filter(skipped__gte=2, needed__gt=0)
        .count()
    )


def early_looks(campaign: Campaign) -> QuerySet[AuditEntry]:
    """Who viewed results before the campaign closed, latest first, at most a hundred entries."""
    reports = [f"evaluation.report:{pk}" for pk in campaign.reports.values_list("pk", flat=True)]
    about = AuditEntry.objects.filter(target__in=[f"evaluation.campaign:{campaign.pk}", *reports])
    rows = about.filter(
        action__in=["report.read_before_close", "campaign.look", "report.export", "campaign.export"]
    )
    before = rows.filter(at__lt=campaign.closed_at) if campaign.closed_at else rows
    return before.select_related("actor")[:100]


def invite(code: str) -> Invite:
    """The invitation behind a link, valid or not. Available to anyone with the link."""
    return get_or_404(Invite.objects.select_related("campaign"), code=code)


def reviewer_cookie(campaign: UUID) -> str:
    """The name of the cookie that identifies a reviewer of this campaign. Each campaign has its own."""
    return f"{settings.REVIEWER_COOKIE_NAME}-{campaign.hex}"


def campaign_of_assignment(token: UUID) -> UUID | None:
    return Assignment.objects.filter(token=token).values_list("item__campaign_id", flat=True).first()


def reviewer_progress(reviewer: Reviewer) -> dict[str, int]:
    """The number of pairs this reviewer has rated, and the number they may rate."""
    campaign = reviewer.campaign
    planned = min(campaign.pairs_planned, campaign.max_per_reviewer or campaign.pairs_planned)
    done = reviewer.done
    if done is None:
        done = Rating.objects.filter(assignment__reviewer=reviewer, kind="real").count()
    return {"done": done, "planned": planned}
