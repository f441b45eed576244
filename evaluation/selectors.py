"""Every read of this app, and the only place where its objects can be obtained: access is decided here, once."""

import json
from typing import Any, TypeVar
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db.models import Count, Model, Q, QuerySet, Sum
from django.http import Http404

from evaluation.comparison import Side
from evaluation.matching import printable
from evaluation.models import (
    Assignment,
    Campaign,
    GenerationRun,
    Invite,
    Pair,
    PromptSet,
    Rating,
    Report,
    Reviewer,
)
from evaluation.stats import OUTCOMES, Ratings
from ftplatform.accounts.models import User
from ftplatform.accounts.permissions import Staff, has_role
from ftplatform.errors import DomainError
from ftplatform.jobs.models import Job, JobEvent
from training.models import Dataset, ModelVersion

M = TypeVar("M", bound=Model)
SIDES = ("baseline", "candidate")


def _visible(queryset: QuerySet[M], user: User) -> QuerySet[M]:
    return queryset if has_role(user, Staff) else queryset.none()


def _one(queryset: QuerySet[M], **identity: Any) -> M:
    found = queryset.filter(**identity).first()
    if found is None:
        raise Http404
    return found


def prompt_sets(*, user: User) -> QuerySet[PromptSet]:
    return _visible(PromptSet.objects.select_related("dataset", "created_by"), user)


def prompt_set(*, user: User, pk: UUID) -> PromptSet:
    return _one(prompt_sets(user=user), pk=pk)


def generation_runs(*, user: User) -> QuerySet[GenerationRun]:
    related = ("prompt_set__dataset", "baseline", "created_by")
    runs = GenerationRun.objects.select_related(*related).prefetch_related("run_candidates__model")
    return _visible(runs, user)


def generation_run(*, user: User, pk: UUID) -> GenerationRun:
    return _one(generation_runs(user=user), pk=pk)


def candidate(*, run: GenerationRun, pk: str | None) -> ModelVersion:
    """The run's candidate with this id, the first one without an id; 404 for a model it does not compare."""
    found = next((model for model in run.candidates if pk in (None, str(model.pk))), None)
    if found is None:
        raise Http404
    return found


def events(run: GenerationRun) -> QuerySet[JobEvent]:
    return run.events.order_by("-id")[:100]


def pairs(*, user: User, run: GenerationRun, candidate: ModelVersion | None = None) -> QuerySet[Pair]:
    """The pairs (of one candidate, if told) with both names on them; closed to whoever is reviewing them blind."""
    for campaign in run.campaigns.filter(reviewers__user=user):
        require_not_reviewing(campaign=campaign, user=user)
    related = ("prompt", "candidate_model", "baseline", "candidate")
    found = Pair.objects.filter(run=run).select_related(*related).order_by("pk")
    return _visible(found.filter(candidate_model=candidate) if candidate else found, user)


def pair(*, user: User, run: GenerationRun, pk: int) -> Pair:
    return _one(pairs(user=user, run=run), pk=pk)


def campaigns(*, user: User) -> QuerySet[Campaign]:
    return _visible(Campaign.objects.select_related("run__baseline", "candidate", "created_by"), user)


def campaigns_rated(*, user: User) -> QuerySet[Campaign]:
    """Campaigns with the number of their ratings."""
    return (
        campaigns(user=user)
        .annotate(rated=Count("ratings", filter=Q(ratings__kind="real")))
        .order_by("-created_at")
    )


def campaign(*, user: User, pk: UUID) -> Campaign:
    return _one(campaigns(user=user), pk=pk)


def campaign_progress(campaign: Campaign) -> dict[str, Any]:
    """How far the review is; nothing here depends on what anybody answered."""
    rated = Rating.objects.filter(campaign=campaign, kind="real").count()
    reviewers = campaign.reviewers.aggregate(
        all=Count("pk"), simulated=Count("pk", filter=Q(is_simulated=True))
    )
    return {
        "rated": rated,
        "planned": campaign.ratings_planned,
        "leased": Assignment.objects.filter(item__campaign=campaign, status=Assignment.Status.LEASED).count(),
        "reviewers": reviewers["all"],
        "simulated": reviewers["simulated"],
    }


def reviewer_table(campaign: Campaign) -> QuerySet[Reviewer]:
    """Reviewers with the number of their ratings and their active time in milliseconds."""
    return campaign.reviewers.annotate(
        rated=Count("assignments__rating"), active_ms=Sum("assignments__rating__active_ms")
    ).order_by("number")


def invite(code: str) -> Invite:
    """The live invitation behind a link; open to anybody who has it."""
    found = Invite.objects.select_related("campaign").filter(code=code).first()
    if found is None or not found.is_live:
        raise Http404
    return found


def reviewer_cookie(campaign: UUID) -> str:
    """The name of the cookie that makes a browser a reviewer of this campaign; another campaign has another."""
    return f"{settings.REVIEWER_COOKIE_NAME}-{campaign.hex}"


def campaign_of_assignment(token: UUID) -> UUID | None:
    return Assignment.objects.filter(token=token).values_list("item__campaign_id", flat=True).first()


def reviewer_by_token(token: str) -> Reviewer | None:
    return Reviewer.objects.select_related("campaign").filter(digest=Reviewer.digest_of(token)).first()


def reviewer_progress(reviewer: Reviewer) -> dict[str, int]:
    """How many pairs this reviewer has rated, of how many they may rate."""
    campaign = reviewer.campaign
    planned = min(campaign.pairs_planned, campaign.max_per_reviewer or campaign.pairs_planned)
    done = Rating.objects.filter(assignment__reviewer=reviewer, kind="real").count()
    return {"done": done, "planned": planned}


def require_not_reviewing(*, campaign: Campaign, user: User) -> None:
    """A manager who rates pairs of a campaign must not know how it stands before it has closed."""
    if not campaign.is_over and campaign.reviewers.filter(user=user).exists():
        raise DomainError(
            "reviewing_closed_report",
            "You are reviewing this campaign, so its pairs and results stay closed to you until it has ended.",
            status=403,
        )


def reports(*, user: User, campaign: Campaign) -> QuerySet[Report]:
    require_not_reviewing(campaign=campaign, user=user)
    return _visible(campaign.reports.select_related("created_by"), user)


def shown_reports(*, user: User, campaign: Campaign) -> QuerySet[Report] | None:
    """The campaign's reports in the order of their looks; None while they are closed to a user who reviews."""
    try:
        return reports(user=user, campaign=campaign).order_by("look")
    except DomainError:
        return None


def latest_report(*, user: User, campaign: Campaign) -> Report:
    found = reports(user=user, campaign=campaign).first()
    if found is None:
        raise DomainError("no_report", "No planned look at this campaign has been taken yet.", status=404)
    return found


def ratings_arrays(campaign: Campaign) -> Ratings:
    """Every rating of a real pair in the candidate's terms, in the order in which they were submitted."""
    names = [f["key"] for f in campaign.rubric["fields"] if f["kind"] == "scale" and f["per"] == "side"]
    rows = list(
        Rating.objects.filter(campaign=campaign, kind="real")
        .order_by("pk")
        .values_list(
            "assignment__item_id",
            "assignment__reviewer_id",
            "assignment__candidate_left",
            "preference",
            "scores",
            "assignment__reviewer__is_simulated",
        )
    )
    outcome = [OUTCOMES.index(outcome_of(preference, left)) for _, _, left, preference, _, _ in rows]
    criteria = {}
    for name in names:
        left_right = [(scores.get(name) or {}, left) for _, _, left, _, scores, _ in rows]
        baseline = [_score(score, "right" if left else "left") for score, left in left_right]
        candidate = [_score(score, "left" if left else "right") for score, left in left_right]
        criteria[name] = (np.array(baseline, dtype=float), np.array(candidate, dtype=float))
    return Ratings(
        prompt=np.array([row[0] for row in rows], dtype=np.int64),
        reviewer=np.array([row[1] for row in rows], dtype=np.int64),
        outcome=np.array(outcome, dtype=np.int64),
        candidate_left=np.array([row[2] for row in rows], dtype=bool),
        criteria=criteria,
        simulated=any(row[5] for row in rows),
        n_simulated=sum(row[5] for row in rows),
    )


def _score(sides: dict[str, Any], side: str) -> float:
    value = sides.get(side)
    return float("nan") if value is None else float(value)


def outcome_of(preference: str, candidate_left: bool) -> Any:
    """win, tie, both_bad or loss of the candidate, from what the reviewer saw."""
    if preference in ("tie", "both_bad"):
        return preference
    return "win" if (preference == "left") == candidate_left else "loss"


def needs_attention(*, user: User) -> dict[str, Any]:
    """What the home page shows: work under way, work that failed, campaigns that run."""
    jobs = _visible(Job.objects.select_related("trainingrun", "generationrun"), user)
    return {
        "active_jobs": jobs.filter(status__in=[Job.Status.RUNNING, Job.Status.QUEUED]).order_by(
            "-status", "created_at"
        ),
        "failed_jobs": jobs.filter(status=Job.Status.FAILED).order_by("-finished_at")[:3],
        "campaigns": campaigns_rated(user=user)
        .filter(status__in=[Campaign.Status.OPEN, Campaign.Status.PAUSED])
        .order_by("-opened_at"),
        "reports": _visible(Report.objects.select_related("campaign"), user)
        .exclude(campaign__in=_reviewing(user))
        .order_by("-created_at")[:5],
        "steps": _steps(),
    }


def _reviewing(user: User) -> QuerySet[Campaign]:
    """Campaigns whose results are closed to this user; the same rule as `require_not_reviewing`."""
    return Campaign.objects.filter(reviewers__user=user).exclude(status__in=Campaign.OVER)


def _steps() -> dict[str, Any]:
    """The way from a file to a verdict: which steps this site has taken, and whether any is left."""
    done = {
        "dataset": Dataset.objects.exists(),
        "model": ModelVersion.objects.exists(),
        "training": ModelVersion.objects.filter(kind=ModelVersion.Kind.ADAPTER).exists(),
        "comparison": Pair.objects.exists(),
        "review": Rating.objects.exists(),
        "report": Report.objects.exists(),
    }
    missing = [step for step, taken in done.items() if not taken]
    return {**done, "next": missing[0] if missing else None}


def comparison(run: GenerationRun, candidate: ModelVersion | None = None) -> dict[str, Any] | None:
    """The baseline and one candidate (the first unless told) in numbers, one pass over their responses; None before
    there are any.

    Latencies are those inside batches: good for comparing the two sides with each other, not for promises.
    """
    models = {run.baseline_id: Side(), (candidate or run.candidate).pk: Side()}
    rows = run.responses.filter(model__in=models).values_list(
        "model_id", "match", "output_tokens", "batch_latency_ms", "finish_reason", "text"
    )
    for model, match, tokens, latency, finish, text in rows.iterator(chunk_size=2000):
        models[model].add(match, tokens, latency, finish, text)
    baseline, tuned = models.values()
    if not baseline.responses or not tuned.responses:
        return None
    return {
        "baseline": baseline.figures(),
        "candidate": tuned.figures(),
        "fields": [
            {
                "name": name,
                "baseline": baseline.field_figures(name),
                "candidate": tuned.field_figures(name),
            }
            for name in baseline.fields
        ],
    }


def pair_details(pair: Pair) -> dict[str, Any]:
    """One prompt with both responses, field by field: expected, and what each side said."""
    by_field: dict[str, dict[str, Any]] = {}
    for role in SIDES:
        match = getattr(pair, role).match
        for found in match["fields"] if match else ():
            row = by_field.setdefault(
                found["field"], {"field": found["field"], "expected": found["expected"]}
            )
            row[role] = found
    return {
        "fields": list(by_field.values()),
        "expected": _pretty(pair.prompt.expected),
        "sides": [{"role": role, "text": _pretty_text(getattr(pair, role).text)} for role in SIDES],
    }


def _pretty(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _pretty_text(text: str) -> str:
    """A response that is JSON is indented for reading; anything else stays as it is."""
    try:
        return printable(_pretty(json.loads(text)))
    except (ValueError, RecursionError):
        return text
