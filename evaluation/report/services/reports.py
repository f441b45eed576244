"""Planned analyses of a campaign. Each runs once, under the frozen plan, and its result is stored."""

from dataclasses import replace
from typing import Any

import numpy as np
from django.db import IntegrityError, transaction

from evaluation import access
from evaluation.models import Campaign, Report
from evaluation.review import protocol as campaign_protocol
from evaluation.review.selectors import counted_ratings, follow_ups
from evaluation.review.selectors import reviewers as reviewer_reads
from evaluation.review.selectors.planned_analyses import next_look, plan_of
from evaluation.review.services import campaigns
from evaluation.stats import Look, Plan, analyse
from evaluation.stats.arrays import BoolArray
from evaluation.stats.report import Report as Result
from evaluation.stats.reviewers import FLAG_CODES, ReviewerQuality, flagged
from evaluation.stats.summaries import Caution
from evaluation.stats.wording import counted
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError


def take_look(*, campaign: Campaign, user: User) -> Report:
    """Run the planned analysis that is due, freeze its result and log it.

    If every planned analysis has run, the latest report is returned. Raises DomainError `look_not_due` if no
    analysis is due yet, because checking results early makes false verdicts more likely, and
    `pilot_not_analysed` for a pilot.
    """
    access.require_not_reviewing(campaign=campaign, user=user)
    if campaign.is_pilot:
        raise DomainError(
            "pilot_not_analysed", "A pilot calibrates the next plan; its ratings support no verdict."
        )
    look = next_look(campaign)
    if look["number"] is None:
        return campaign.reports.latest("look")
    if not look["due"]:
        raise DomainError(
            "look_not_due",
            f"The next planned look comes after {look['needed']:,} ratings, or when the campaign has closed.",
        )
    ratings, prompts, reviewers = counted_ratings.ratings_arrays(campaign)
    plan = plan_of(campaign)
    fraction = 1.0 if look["final"] else len(ratings) / campaign.ratings_planned
    excluded, quality = _quality(campaign, plan)
    look_now = _look(campaign, plan, fraction)
    report = analyse(ratings, plan, look_now, excluded=excluded, quality=quality)
    report = _with_strangers(campaign, _as_made_elsewhere(campaign, report.labelled(prompts, reviewers)))
    try:
        with transaction.atomic():
            stored = Report.objects.create(
                campaign=campaign,
                look=look["number"],
                is_final=look["final"],
                fraction=fraction,
                result=report.to_json() | {"provenance": _provenance(campaign)},
                created_by=user,
            )
            audit.record(
                actor=user, action="campaign.look", target=campaign, look=look["number"], ratings=len(ratings)
            )
            if look["final"]:
                campaigns.mark_analysed(campaign=campaign, user=user)
            return stored
    except IntegrityError:
        return campaign.reports.get(look=look["number"])


def _quality(campaign: Campaign, plan: Plan) -> tuple[BoolArray, tuple[ReviewerQuality, ...]]:
    """Which ratings come from flagged reviewers, (n,), and all flags.

    Only the flags in the plan's exclusion rule count; if the plan has no rule, any flag counts. Rows are in
    the order of `ratings_arrays`.
    """
    work = reviewer_reads.work(campaign)
    quality = reviewer_reads.judged(campaign, work)
    hit = flagged(quality, plan.exclusion or FLAG_CODES)
    names = {
        pk: counted_ratings.reviewer_label(campaign, number, name)
        for pk, number, name in campaign.reviewers.values_list("pk", "number", "external_id")
    }
    named = tuple(replace(one, reviewer=names[int(one.reviewer)]) for one in quality)
    return np.isin(work.reviewer, sorted(hit)), named


def _as_made_elsewhere(campaign: Campaign, result: Result) -> Result:
    """The result, with a caution if its ratings were imported."""
    if not campaign.elsewhere:
        return result
    caution = Caution(
        "rated_elsewhere",
        f"Rated elsewhere: these ratings were imported from {campaign.elsewhere['file']}. How pairs were assigned and "
        "hidden from reviewers is not known here, and the settings were chosen when the ratings existed.",
    )
    return replace(result, cautions=(caution, *result.cautions))


def _with_strangers(campaign: Campaign, result: Result) -> Result:
    """The result, with a caution if somebody may also have reviewed in a campaign that this one follows."""
    number = follow_ups.anonymous_reviewers(campaign) if campaign.follows else 0
    if not number:
        return result
    caution = Caution(
        "reviewers_unknown",
        f"{counted(number, 'reviewer')} joined by a shared link without an account or a participant's number. If they "
        "also took part in the campaign before this one, a false claim is more likely than stated.",
    )
    return replace(result, cautions=(*result.cautions, caution))


def _look(campaign: Campaign, plan: Plan, fraction: float) -> Look | None:
    """This analysis among those already run and those still planned.

    None if it is the only analysis, or if the result may be monitored at any time.
    """
    if plan.watch_se is not None:
        return None
    earlier = list(campaign.reports.order_by("look").values_list("fraction", flat=True))
    later = [planned for planned in plan.looks if planned > fraction]
    return Look(len(earlier) + 1, (*earlier, fraction, *later)) if earlier or later else None


def _provenance(campaign: Campaign) -> dict[str, Any]:
    """Sources of the result: campaign, protocol, plan, prompts, models, dataset, training run and decoding."""
    comparison = campaign.comparison
    training = campaign.candidate.run
    return {
        "campaign": {"id": str(campaign.pk), "title": campaign.title, "overlap": campaign.overlap},
        "protocol": campaign_protocol.summary(campaign),
        "plan": campaign.plan,
        "criterion_groups": {
            field["key"]: field["group"] for field in campaign.rubric["fields"] if field.get("group")
        },
        **(
            {"follows": {"id": str(campaign.follows.pk), "title": campaign.follows.title}}
            if campaign.follows
            else {}
        ),
        "close_reason": campaign.close_reason,
        "amendments": [
            {
                "at": f"{change.made_at:%Y-%m-%d %H:%M} UTC",
                "what": ", ".join(f"{name}: {old} → {new}" for name, (old, new) in change.changes.items()),
                "reason": change.reason,
            }
            for change in campaign.amendments.all()
        ],
        "prompt_set": {"name": comparison.prompt_set.name, "prompts": comparison.prompt_set.size},
        "baseline": {
            "name": comparison.baseline.name,
            "weights": comparison.baseline.weights_hash,
            "demo": comparison.baseline.is_demo,
        },
        "candidate": {
            "name": campaign.candidate.name,
            "weights": campaign.candidate.weights_hash,
            "demo": campaign.candidate.is_demo,
        },
        "dataset": {"name": str(training.dataset), "content": training.dataset.content_hash}
        if training
        else None,
        "training_run": str(training.pk) if training else None,
        "comparison": str(comparison.pk),
        **({"rated_elsewhere": campaign.elsewhere} if campaign.elsewhere else {}),
        "decoding": comparison.decoding,
        "facts": comparison.facts,
    }
