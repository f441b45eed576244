"""Planned looks at a campaign: each computes the analysis once, from the frozen plan, and keeps it."""

from typing import Any

from django.db import IntegrityError, transaction

from evaluation import selectors
from evaluation.models import Campaign, Rating, Report
from evaluation.stats import Look, Plan, analyse
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError


def plan_of(campaign: Campaign) -> Plan:
    """The frozen plan; raises DomainError if what is stored is not what was hashed at opening."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in campaign.plan.items()
    }
    plan = Plan(**values)
    if plan.hash() != campaign.plan_hash:
        raise DomainError(
            "plan_changed", "The stored plan is not the one that was frozen; nothing is analysed."
        )
    return plan


def next_look(campaign: Campaign) -> dict[str, Any]:
    """Which look comes next, after how many ratings, and whether it may be taken now."""
    taken = campaign.reports.count()
    if campaign.reports.filter(is_final=True).exists():
        return {"number": None, "due": False, "needed": 0, "final": True}
    if campaign.status == Campaign.Status.CLOSED:
        return {"number": taken + 1, "due": True, "needed": 0, "final": True}
    fractions = campaign.plan.get("looks") or [1.0]
    fraction = fractions[min(taken, len(fractions) - 1)]
    needed = round(fraction * campaign.ratings_planned)
    rated = Rating.objects.filter(campaign=campaign).count()
    open_now = campaign.status != Campaign.Status.DRAFT
    return {
        "number": taken + 1,
        "due": open_now and rated >= needed,
        "needed": needed,
        "final": fraction >= 1,
    }


def take_look(*, campaign: Campaign, user: User) -> Report:
    """Take the planned look that is due and freeze its result; every look is logged.

    Raises DomainError `look_not_due` before its time: results that are watched all the time would be wrong far
    more often than they say.
    """
    selectors.require_not_reviewing(campaign=campaign, user=user)
    look = next_look(campaign)
    if look["number"] is None:
        return campaign.reports.latest("look")
    if not look["due"]:
        raise DomainError(
            "look_not_due",
            f"The next planned look comes after {look['needed']:,} ratings, or when the campaign has closed.",
        )
    ratings = selectors.ratings_arrays(campaign)
    plan = plan_of(campaign)
    report = analyse(ratings, plan, _look(campaign, plan, look["number"], look["final"], len(ratings)))
    try:
        with transaction.atomic():
            stored = Report.objects.create(
                campaign=campaign,
                look=look["number"],
                is_final=look["final"],
                result=report.to_json() | {"provenance": _provenance(campaign)},
                created_by=user,
            )
            audit.record(
                actor=user, action="campaign.look", target=campaign, look=look["number"], ratings=len(ratings)
            )
            return stored
    except IntegrityError:
        return campaign.reports.get(look=look["number"])


def _look(campaign: Campaign, plan: Plan, number: int, final: bool, rated: int) -> Look | None:
    """This look among those taken and those still planned; None when it is the only one there ever is."""
    earlier = [report.result["look"]["fraction"] for report in campaign.reports.order_by("look")]
    fraction = 1.0 if final else rated / campaign.ratings_planned
    later = [planned for planned in plan.looks if planned > fraction]
    return Look(number, (*earlier, fraction, *later)) if earlier or later else None


def _provenance(campaign: Campaign) -> dict[str, Any]:
    """Where every number comes from: dataset, run, adapter, decoding, rubric."""
    run = campaign.run
    training = run.candidate.run
    return {
        "campaign": {"id": str(campaign.pk), "title": campaign.title, "overlap": campaign.overlap},
        "plan": campaign.plan,
        "prompt_set": {"name": run.prompt_set.name, "prompts": run.prompt_set.size},
        "baseline": {
            "name": run.baseline.name,
            "weights": run.baseline.weights_hash,
            "demo": run.baseline.is_demo,
        },
        "candidate": {"name": run.candidate.name, "weights": run.candidate.weights_hash},
        "dataset": {"name": str(training.dataset), "content": training.dataset.content_hash}
        if training
        else None,
        "training_run": str(training.pk) if training else None,
        "generation_run": str(run.pk),
        "decoding": run.decoding,
        "facts": run.facts,
    }
