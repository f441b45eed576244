"""Reports of a campaign and the prompts that changed most."""

from typing import Any

from django.db.models import QuerySet

from evaluation.access import get_or_404, reports
from evaluation.models import (
    Campaign,
    Pair,
    Report,
)
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError


def latest_report(*, user: User, campaign: Campaign) -> Report:
    found = reports(user=user, campaign=campaign).first()
    if found is None:
        raise DomainError("no_report", "No planned look at this campaign has been taken yet.", status=404)
    return found


def reports_up_to(report: Report) -> QuerySet[Report]:
    """This report and those of the looks before it, in their order."""
    return Report.objects.filter(campaign=report.campaign, look__lte=report.look).order_by("look")


def report(*, user: User, campaign: Campaign, look: int) -> Report:
    return get_or_404(reports(user=user, campaign=campaign), look=look)


def moved_prompts(result: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The prompts that moved most either way; none in a report from before these were kept."""
    chosen = result.get("prompts") or {}
    return {side: chosen.get(side, []) for side in ("fallen", "risen")}


def movers(report: Report) -> dict[str, list[tuple[dict[str, Any], Pair | None]]]:
    """The prompts that moved most, each with its (first) pair."""
    chosen = moved_prompts(report.result)
    keys = [item["prompt"] for items in chosen.values() for item in items]
    found = Pair.objects.filter(
        run=report.campaign.run_id, candidate_model=report.campaign.candidate_id, prompt__key__in=keys
    ).order_by("-sample")
    pairs = {pair.prompt.key: pair for pair in found.select_related("prompt", "baseline", "candidate")}
    return {side: [(item, pairs.get(item["prompt"])) for item in items] for side, items in chosen.items()}
