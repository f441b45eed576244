"""Reports of a campaign, and the pairs of the prompts with the strongest preferences."""

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
    newest = reports(user=user, campaign=campaign).first()
    if newest is None:
        raise DomainError("no_report", "No planned analysis of this campaign has been run yet.", status=404)
    return newest


def reports_up_to(report: Report) -> QuerySet[Report]:
    """This report and those of earlier planned analyses, in order."""
    return Report.objects.filter(campaign=report.campaign, look__lte=report.look).order_by("look")


def report(*, user: User, campaign: Campaign, look: int) -> Report:
    return get_or_404(reports(user=user, campaign=campaign), look=look)


def moved_pairs(report: Report) -> dict[str, Pair]:
    """The first pair of each prompt that the report lists under `fallen` or `risen`, by prompt key.

    Reports of early versions list no prompts.
    """
    chosen = report.result.get("prompts") or {}
    keys = [item["prompt"] for side in ("fallen", "risen") for item in chosen.get(side, ())]
    pairs = Pair.objects.filter(
        comparison=report.campaign.comparison_id,
        candidate_model=report.campaign.candidate_id,
        prompt__key__in=keys,
    ).order_by("-sample")
    return {
        pair.prompt.key: pair
        for pair in pairs.select_related("prompt", "baseline_response", "candidate_response")
    }
