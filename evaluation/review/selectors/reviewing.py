"""What a reviewer may know of their own work: never which response is whose, never a result."""

from statistics import median
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, F, Q, QuerySet
from django.http import Http404

from evaluation.access import get_or_404
from evaluation.models import Assignment, Campaign, Invite, Rating, Remark, Reviewer, ReviewItem
from ftplatform.accounts.models import AuditEntry

ENOUGH = 10  # comparisons below which a share says little
SHORT = 90  # characters of a prompt that tell it from others
Kind = ReviewItem.Kind


def own_ratings(reviewer: Reviewer) -> QuerySet[Rating]:
    """What this reviewer has rated, the latest first: quality items among the rest, so that nobody can tell them."""
    mine = Rating.objects.filter(assignment__reviewer=reviewer)
    related = ("assignment__item__pair__prompt", "assignment__reviewer__campaign")
    return mine.select_related(*related).order_by("-submitted_at", "-pk")


def own_rating(reviewer: Reviewer, token: UUID) -> Rating:
    """One of them by its pair's token, or 404."""
    found = own_ratings(reviewer).filter(assignment__token=token).first()
    if found is None:
        raise Http404
    return found


def prompt_line(item: ReviewItem) -> str:
    """The beginning of what was asked, as one line."""
    own = (item.content or {}).get("prompt")
    prompt = item.pair.prompt
    instruction, given = (own["instruction"], own["input"]) if own else (prompt.instruction, prompt.input)
    values = list(given.values()) if isinstance(given, dict) else [given]
    texts = [value for value in values if isinstance(value, str) and value.strip()]
    line = " ".join((texts[-1] if texts else instruction).split())
    return line if len(line) <= SHORT else f"{line[:SHORT].rsplit(' ', 1)[0]} …"


def own_figures(reviewer: Reviewer) -> dict[str, Any]:
    """Pace, choices and consistency; agreement with others only for whoever is through, lest it draws them along."""
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
    """The same word for the same response on whichever side it stood."""
    if preference not in ("left", "right"):
        return preference
    return "one" if (preference == "left") == candidate_left else "other"


def _agreement(reviewer: Reviewer, mine: dict[int, str]) -> int | None:
    """Per cent of comparisons with others on the same pairs in which both said the same; None for too few."""
    others = (
        Rating.objects.filter(campaign=reviewer.campaign_id, kind=Kind.REAL, assignment__item__pair__in=mine)
        .exclude(assignment__reviewer=reviewer)
        .values_list("assignment__item__pair", "preference", "assignment__candidate_left")
    )
    same = [mine[pair] == _response(preference, left) for pair, preference, left in others]
    return round(100 * sum(same) / len(same)) if len(same) >= ENOUGH else None


def remarks(campaign: Campaign) -> QuerySet[Remark]:
    """What reviewers skipped or found wrong, the latest first, for whoever may see the campaign."""
    found = Remark.objects.filter(assignment__item__campaign=campaign)
    return found.select_related("assignment__item", "assignment__reviewer").order_by("-made_at", "-pk")


def skipped_by_all(campaign: Campaign) -> int:
    """Pairs still short of ratings that several reviewers gave back: they may never fill."""
    skipped = Count("assignments", filter=Q(assignments__status=Assignment.Status.SKIPPED))
    return (
        campaign.items.annotate(skipped=skipped, needed=F("open_slots"))
        .filter(skipped__gte=2, needed__gt=0)
        .count()
    )


def early_looks(campaign: Campaign) -> QuerySet[AuditEntry]:
    """Who saw results before the campaign had closed, the latest first, at most a hundred."""
    reports = [f"evaluation.report:{pk}" for pk in campaign.reports.values_list("pk", flat=True)]
    about = AuditEntry.objects.filter(target__in=[f"evaluation.campaign:{campaign.pk}", *reports])
    found = about.filter(
        action__in=["report.read_before_close", "campaign.look", "report.export", "campaign.export"]
    )
    before = found.filter(at__lt=campaign.closed_at) if campaign.closed_at else found
    return before.select_related("actor")[:100]


def invite(code: str) -> Invite:
    """The invitation behind a link, live or not; open to anybody who has it."""
    return get_or_404(Invite.objects.select_related("campaign"), code=code)


def reviewer_cookie(campaign: UUID) -> str:
    """The name of the cookie that makes a browser a reviewer of this campaign; another campaign has another."""
    return f"{settings.REVIEWER_COOKIE_NAME}-{campaign.hex}"


def campaign_of_assignment(token: UUID) -> UUID | None:
    return Assignment.objects.filter(token=token).values_list("item__campaign_id", flat=True).first()


def reviewer_progress(reviewer: Reviewer) -> dict[str, int]:
    """How many pairs this reviewer has rated, of how many they may rate."""
    campaign = reviewer.campaign
    planned = min(campaign.pairs_planned, campaign.max_per_reviewer or campaign.pairs_planned)
    done = reviewer.done
    if done is None:
        done = Rating.objects.filter(assignment__reviewer=reviewer, kind="real").count()
    return {"done": done, "planned": planned}
