"""The campaign life cycle: create, open (which freezes its settings), invite, close."""

from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.utils import timezone

from evaluation import rubrics
from evaluation.models import Campaign, CampaignAction, Comparison, Invite, PromptTag, RubricVersion
from evaluation.models.comparison_actions import ComparisonAction
from evaluation.review import campaign_settings, protocol
from evaluation.review.selectors import follow_ups
from evaluation.review.selectors.planned_analyses import read_plan
from evaluation.review.services import identity_scan, lottery
from evaluation.stats import Plan, power
from evaluation.stats.wording import ENOUGH_REVIEWERS
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from training.intake.checking import Tell, silent
from training.models import ModelVersion


def create(
    *,
    user: User,
    title: str,
    comparison: Comparison,
    candidate: ModelVersion | None = None,
    rubric_text: str,
    overlap: int,
    pairs: int | None = None,
    margin: float = 0.05,
    looks: tuple[float, ...] = (1.0,),
    watched: bool = False,
    cluster: str = "",
    extensions: int = 0,
    follows: Campaign | None = None,
    rubric_version: RubricVersion | None = None,
    **options: Any,
) -> Campaign:
    """Create a draft campaign over `pairs` (default: all) of one candidate of a finished comparison.

    A `watched` campaign has no planned analyses before its end; its results can be seen at any time, as a confidence
    sequence. `cluster` names the tag of prompts that are sampled together, such as topic or customer. `extensions` is
    the number of later stages that the plan allows. The new campaign `follows` an analysed one as `follow_ups.state`
    says: as its next stage, or to confirm it. `options` are those of `campaign_settings`.

    Raises DomainError `run_incomplete`, `too_many_pairs`, `invalid_rubric`, `no_criteria`, `invalid_plan`,
    `invalid_settings`, `invalid_crowd`, `other_models`, `stage_frozen`.
    """
    campaign = Campaign(created_by=user, follows=follows)
    if follows is not None:
        campaign.plan = follow_ups.carried(follows, extend=follow_ups.state(follows).extensible)
    values = {
        "title": title,
        "comparison": comparison,
        "rubric_text": rubric_text,
        "overlap": overlap,
        "pairs": pairs,
    }
    values |= {"candidate": candidate, "margin": margin, "looks": looks, "watched": watched}
    _fill(campaign, values | {"cluster": cluster, "extensions": extensions}, options)
    campaign.rubric_version = rubric_version
    with transaction.atomic():
        campaign.save()
        audit.record(actor=user, action="campaign.create", target=campaign)
        return campaign


@transaction.atomic
def update_draft(*, campaign: Campaign, user: User, **changes: Any) -> Campaign:
    """Change a draft; `changes` are arguments of `create`. Raises DomainError `wrong_status`."""
    campaign = Campaign.objects.select_for_update().select_related("comparison").get(pk=campaign.pk)
    if not campaign.allows(CampaignAction.EDIT):
        raise DomainError("wrong_status", "The settings are frozen: only a draft can be edited.")
    if "rubric_version" in changes:
        campaign.rubric_version = changes.pop("rubric_version")
    elif changes.get("rubric_text", campaign.rubric_text) != campaign.rubric_text:
        campaign.rubric_version = None
    main = {
        "title": campaign.title,
        "comparison": campaign.comparison,
        "candidate": campaign.candidate,
        "rubric_text": campaign.rubric_text,
        "overlap": campaign.overlap,
        "pairs": campaign.pairs_planned,
        "margin": campaign.plan["margin"],
        "looks": tuple(campaign.plan["looks"]),
        "watched": bool(campaign.plan.get("watch_se")),
        "cluster": campaign.plan.get("cluster", ""),
        "extensions": campaign.plan.get("extensions", 0),
    }
    options = {name: getattr(campaign, name) for name in campaign_settings.NAMES}
    _fill(
        campaign,
        {name: changes.pop(name, value) for name, value in main.items()},
        options | changes,
    )
    campaign.save()
    audit.record(actor=user, action="campaign.update", target=campaign)
    return campaign


def _fill(campaign: Campaign, main: dict[str, Any], options: dict[str, Any]) -> None:
    """Write checked values to a draft."""
    for name, value in campaign_settings.checked(options).items():
        setattr(campaign, name, value)
    comparison, candidate = main["comparison"], _candidate(main["comparison"], main["candidate"])
    campaign.comparison, campaign.candidate = comparison, candidate
    if campaign.follows is not None:
        _require_same_models(campaign, campaign.follows)
    available = lottery.available(campaign).count()
    if ComparisonAction.OPEN_CAMPAIGN not in comparison.actions or not available:
        raise DomainError("run_incomplete", "The comparison is not complete. Wait until it has succeeded.")
    wanted = available if main["pairs"] is None else main["pairs"]
    if not 1 <= wanted <= available:
        raise DomainError(
            "too_many_pairs",
            f"The comparison has {available:,} pairs. Choose from 1 to {available:,}.",
            status=400,
        )
    form = _parse_rubric(main["rubric_text"])
    planned: dict[str, Any] = {
        "criteria": criteria(form.to_json()),
        "planned_ratings": wanted * main["overlap"],
    }
    planned["exclusion"] = tuple(campaign.exclude_flags)
    planned["watch_se"] = _watch_se(wanted, main["overlap"]) if main["watched"] else None
    planned["cluster"] = _cluster(comparison, main["cluster"])
    planned["candidate_name"], planned["baseline_name"] = candidate.name, comparison.baseline.name
    planned |= {name: campaign.plan.get(name, ()) for name in ("earlier", "confirms")}
    planned["extensions"] = main["extensions"]
    plan = read_plan({"margin": main["margin"], "looks": main["looks"], **planned})
    if campaign.follows is not None and plan.earlier:
        _require_same_analysis(plan, campaign.follows)
    campaign.title, campaign.rubric_text = main["title"], main["rubric_text"]
    campaign.rubric, campaign.plan = form.to_json(), asdict(plan)
    campaign.overlap, campaign.pairs_planned = main["overlap"], wanted


def _require_same_models(campaign: Campaign, before: Campaign) -> None:
    models = (campaign.candidate_id, campaign.comparison.baseline_id)
    if models != (before.candidate_id, before.comparison.baseline_id):
        raise DomainError(
            "other_models",
            f"This campaign follows “{before.title}”: choose a comparison of {before.candidate.name} with "
            f"{before.comparison.baseline.name}.",
            status=400,
        )


def _require_same_analysis(plan: Plan, before: Campaign) -> None:
    """Check that a later stage is analysed as the first one, so that their results can be combined."""
    first = read_plan(before.plan)
    changed = [name for name in follow_ups.SHARED if getattr(plan, name) != getattr(first, name)]
    if changed:
        raise DomainError(
            "stage_frozen",
            f"Stages of one test have the same analysis: keep {', '.join(changed)} as in “{before.title}”.",
            status=400,
        )


def _cluster(comparison: Comparison, tag: str) -> str:
    """The tag by which prompts are clustered, or "". Raises DomainError `unknown_tag`."""
    names = (
        PromptTag.objects.filter(prompt_set=comparison.prompt_set).values_list("name", flat=True).distinct()
    )
    if tag and tag not in names:
        known = ", ".join(sorted(names)) or "no tags"
        raise DomainError(
            "unknown_tag",
            f"The prompts have no tag '{tag}'; they have {known}.",
            status=400,
            problems=[{"field": "cluster", "message": f"Choose one of: {known}."}],
        )
    return tag


def _watch_se(pairs: int, overlap: int) -> float:
    """The standard error expected at the end, where the confidence sequence is narrowest. An estimate is sufficient."""
    design = power.Design(max(pairs, 2), overlap, max(overlap, ENOUGH_REVIEWERS))
    return power.standard_error(design, power.EXPERTS)


def _candidate(comparison: Comparison, candidate: ModelVersion | None) -> ModelVersion:
    if candidate is None and len(comparison.candidates) > 1:
        names = ", ".join(model.name for model in comparison.candidates)
        raise DomainError(
            "choose_candidate", f"The comparison has several candidates; choose one of {names}.", status=400
        )
    if candidate is not None and candidate not in comparison.candidates:
        raise DomainError(
            "foreign_candidate", f"The comparison {comparison} has no candidate {candidate}.", status=400
        )
    return candidate or comparison.candidate


def _parse_rubric(text: str) -> rubrics.FormDefinition:
    """The form that reviewers fill in."""
    try:
        form = rubrics.parse(text)
    except rubrics.RubricError as error:
        where = {"field": "rubric_text", "line": error.line, "column": error.column, "message": error.message}
        raise DomainError("invalid_rubric", str(error), status=400, problems=[where]) from error
    for lack in form.lacking():
        raise DomainError(lack.code, lack.message, status=400)
    return form.for_review()


def criteria(rubric: dict[str, Any]) -> list[str]:
    """Keys of the per-side scales that the report analyses, in the rubric's order."""
    return [field["key"] for field in rubric["fields"] if field["kind"] == "scale" and field["per"] == "side"]


def open_campaign(*, campaign: Campaign, user: User, report_progress: Tell = silent) -> Invite:
    """Freeze the settings, draw pairs, sides and quality items, and create the first link. Idempotent.

    `report_progress(stage, fraction)` is called between 0 and 1. Its last call is inside the single transaction that
    covers everything except the scan.

    Raises DomainError `identity_words` while pairs with words that may reveal a model need a decision,
    `too_many_pairs` if quarantine leaves fewer pairs than planned.
    """
    if campaign.status == Campaign.Status.DRAFT:
        # The scan's matches are kept even if the opening fails.
        identity_scan.require_decided(
            campaign=campaign, report_progress=lambda stage, part: report_progress(stage, part / 2)
        )
    return _open(campaign, user, report_progress)


@transaction.atomic
def _open(campaign: Campaign, user: User, report_progress: Tell) -> Invite:
    campaign = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if campaign.status != Campaign.Status.DRAFT:
        return campaign.invites.earliest("id")
    left = lottery.available(campaign).count()
    if left < campaign.pairs_planned:
        raise DomainError(
            "too_many_pairs",
            f"Only {left:,} of {campaign.pairs_planned:,} planned pairs are left after quarantine and practice. Plan "
            "fewer pairs, or accept some quarantined pairs.",
        )
    report_progress("Drawing pairs and sides", 0.5)
    campaign.plan_hash = read_plan(campaign.plan).hash()
    campaign.status, campaign.opened_at = Campaign.Status.OPEN, timezone.now()
    campaign.save(update_fields=["plan_hash", "status", "opened_at"])
    lottery.draw(campaign)
    campaign.protocol_hash = protocol.hash_of(campaign)
    campaign.save(update_fields=["protocol_hash"])
    hashes = {"plan_hash": campaign.plan_hash, "protocol_hash": campaign.protocol_hash}
    audit.record(actor=user, action="campaign.open", target=campaign, **hashes)
    return Invite.objects.create(campaign=campaign)


@transaction.atomic
def replace_invite(*, campaign: Campaign, user: User) -> Invite:
    """Withdraw every shared link and create a new one. Reviewers who have joined stay; personal links stay valid.

    Raises DomainError `wrong_status` unless the campaign is open or paused.
    """
    if not Campaign.objects.select_for_update().get(pk=campaign.pk).allows(CampaignAction.INVITE):
        raise DomainError("wrong_status", "Only an open or paused campaign can have invitation links.")
    campaign.invites.filter(revoked_at__isnull=True, email="").update(revoked_at=timezone.now())
    audit.record(actor=user, action="campaign.replace_invite", target=campaign)
    return Invite.objects.create(campaign=campaign)


@transaction.atomic
def pause(*, campaign: Campaign, user: User) -> None:
    _move(campaign, user, CampaignAction.PAUSE, to=Campaign.Status.PAUSED)


@transaction.atomic
def resume(*, campaign: Campaign, user: User) -> None:
    _move(campaign, user, CampaignAction.RESUME, to=Campaign.Status.OPEN)


@transaction.atomic
def close(*, campaign: Campaign, user: User, reason: str) -> None:
    """Close the campaign permanently, after ratings that are currently being stored.

    Raises DomainError `reason_required` if planned ratings are missing and there is no reason; the report shows it.
    """
    rated = campaign.ratings.filter(kind="real").count()
    early = campaign.allows(CampaignAction.CLOSE) and rated < campaign.ratings_planned
    if early and not reason.strip():
        raise DomainError(
            "reason_required",
            f"Only {rated:,} of {campaign.ratings_planned:,} planned ratings are in. Give a reason for closing early; "
            "the report shows it.",
            status=400,
        )
    _move(campaign, user, CampaignAction.CLOSE, to=Campaign.Status.CLOSED, reason=reason)


@transaction.atomic
def mark_analysed(*, campaign: Campaign, user: User) -> None:
    """Record that the final analysis has run; a campaign that is still open closes first."""
    if campaign.allows(CampaignAction.CLOSE):
        close(campaign=campaign, user=user, reason="Every planned rating is in.")
    _move(campaign, user, CampaignAction.ANALYSE, to=Campaign.Status.ANALYSED)


def _move(
    campaign: Campaign, user: User, action: CampaignAction, *, to: Campaign.Status, reason: str = ""
) -> None:
    # FOR UPDATE conflicts with the key-share lock under which every rating is stored.
    locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if locked.status == to or (to == Campaign.Status.CLOSED and locked.is_over):
        return
    # Only the final analysis leads to ANALYSED, and reports.take_look has checked that it is due.
    if action not in locked.actions(analysis_due=True):
        raise DomainError(
            "wrong_status",
            f"You cannot {action} this campaign: its status is “{locked.get_status_display()}”.",
        )
    old, locked.status = locked.status, to
    if to == Campaign.Status.CLOSED:
        locked.closed_at, locked.close_reason = timezone.now(), reason.strip()
    locked.save(update_fields=["status", "closed_at", "close_reason"])
    audit.record(actor=user, action=f"campaign.{to}", target=locked, old=old, reason=reason)
