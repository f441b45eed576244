"""Determines which planned analysis of a campaign comes next."""

import math
from typing import Any

from evaluation.models import Campaign, Rating
from evaluation.stats import Plan
from evaluation.stats.stages import Stage
from ftplatform.errors import DomainError


def plan_of(campaign: Campaign) -> Plan:
    """The frozen plan. Raises DomainError `plan_changed` if the stored plan differs from the one hashed at opening."""
    plan = read_plan(campaign.plan)
    if plan.hash() != campaign.plan_hash:
        raise DomainError(
            "plan_changed", "The stored plan is not the one that was frozen; nothing is analysed."
        )
    return plan


def next_look(campaign: Campaign) -> dict[str, Any]:
    """The next planned analysis, the number of ratings it needs, and whether it is due now.

    Once the campaign has closed or all planned ratings are in, the next analysis is the final one, even if earlier
    planned analyses were skipped. A campaign with continuous monitoring (`watch_se`) can be analysed whenever a
    rating has been stored since the last analysis. A pilot has no analyses.
    """
    taken = list(campaign.reports.order_by("look").values_list("fraction", "is_final"))
    if campaign.is_pilot or any(is_final for _, is_final in taken):
        return {"number": None, "due": False, "needed": 0, "final": True}
    number, last = len(taken) + 1, taken[-1][0] if taken else 0.0
    rated = Rating.objects.filter(campaign=campaign, kind="real").count()
    closed = campaign.is_over
    if closed or rated >= campaign.ratings_planned:
        return {"number": number, "due": True, "needed": 0, "final": True}
    if campaign.plan.get("watch_se"):
        seen = campaign.reports.latest("look").result["primary"]["n_ratings"] if taken else 0
        return {"number": number, "due": rated > seen, "needed": seen + 1, "final": False, "watched": True}
    planned = next(fraction for fraction in campaign.plan["looks"] if fraction > last)
    needed = math.ceil(planned * campaign.ratings_planned)
    due = campaign.status != Campaign.Status.DRAFT and rated >= needed
    return {"number": number, "due": due, "needed": needed, "final": planned >= 1}


MAX_LOOKS = 6


def read_plan(values: dict[str, Any]) -> Plan:
    """The plan with these values, also from JSON. Raises DomainError `invalid_plan` for invalid values."""
    plain: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    try:
        if earlier := plain.get("earlier"):
            plain["earlier"] = tuple(one if isinstance(one, Stage) else Stage(**one) for one in earlier)
        plan = Plan(**plain)
    except ValueError as error:
        raise DomainError("invalid_plan", f"The plan is not valid: {error}.", status=400) from error
    if not plan.looks or plan.looks[-1] != 1 or len(plan.looks) > MAX_LOOKS:
        raise DomainError(
            "invalid_plan",
            f"Plan 1 to {MAX_LOOKS} analyses, the last of them at 1 (all ratings).",
            status=400,
        )
    return plan
