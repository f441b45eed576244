"""Every read of this app, and the only place where its objects can be obtained: access is decided here, once."""

from functools import lru_cache
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db.models import Count, Model, Q, QuerySet
from django.http import Http404

from evaluation import rubrics
from evaluation.models import (
    Assignment,
    Campaign,
    Failure,
    GenerationRun,
    Invite,
    Pair,
    PromptSet,
    Rating,
    Report,
    Reviewer,
    Timing,
)
from evaluation.stats import OUTCOMES, Ratings
from evaluation.stats.arrays import FloatArray
from evaluation.stats.ratings import Slicing, slicing
from ftplatform import prepared
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


def timings(*, user: User, run: GenerationRun) -> QuerySet[Timing]:
    """Single-stream measurements in the order in which they were taken."""
    return _visible(Timing.objects.filter(run=run).select_related("prompt").order_by("place", "pk"), user)


def failures(*, user: User, run: GenerationRun) -> QuerySet[Failure]:
    """Responses that could not be made yet, and why."""
    found = Failure.objects.filter(run=run).select_related("prompt", "model").order_by("pk")
    return _visible(found, user)


def events(run: GenerationRun) -> QuerySet[JobEvent]:
    return run.events.order_by("-id")[:100]


def pairs(*, user: User, run: GenerationRun, candidate: ModelVersion | None = None) -> QuerySet[Pair]:
    """The pairs (of one candidate, if told) with both names on them; closed to whoever is reviewing them blind."""
    _require_not_reviewing(run.pk, user)
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


def invite(code: str) -> Invite:
    """The invitation behind a link, live or not; open to anybody who has it."""
    return _one(Invite.objects.select_related("campaign"), code=code)


def reviewer_cookie(campaign: UUID) -> str:
    """The name of the cookie that makes a browser a reviewer of this campaign; another campaign has another."""
    return f"{settings.REVIEWER_COOKIE_NAME}-{campaign.hex}"


def campaign_of_assignment(token: UUID) -> UUID | None:
    return Assignment.objects.filter(token=token).values_list("item__campaign_id", flat=True).first()


_REVIEWER = prepared.Select(
    lambda digest: (
        Reviewer.objects.select_related("campaign")
        .defer("campaign__plan", "campaign__rubric_text", "campaign__rubric")
        .filter(digest=digest)
        .order_by()
    ),
    "digest",
)


@lru_cache(maxsize=64)
def _frozen_form(campaign: UUID, protocol_hash: str) -> tuple[dict[str, Any], rubrics.FormDefinition]:
    """The form of a campaign that has opened, as JSON and read from it: what is under the hash stays as it is."""
    rubric = Campaign.objects.values_list("rubric", flat=True).get(pk=campaign)
    return rubric, rubrics.FormDefinition.from_json(rubric)


def reviewer_by_token(token: str) -> Reviewer | None:
    """The reviewer with their campaign. Its form is read once per process, not with each of their requests."""
    reviewer = _REVIEWER.first(Reviewer.digest_of(token))
    if reviewer is not None:
        opened = reviewer.campaign
        opened.rubric, opened.form = _frozen_form(opened.pk, opened.protocol_hash)
    return reviewer


def reviewer_progress(reviewer: Reviewer) -> dict[str, int]:
    """How many pairs this reviewer has rated, of how many they may rate."""
    campaign = reviewer.campaign
    planned = min(campaign.pairs_planned, campaign.max_per_reviewer or campaign.pairs_planned)
    done = reviewer.done
    if done is None:
        done = Rating.objects.filter(assignment__reviewer=reviewer, kind="real").count()
    return {"done": done, "planned": planned}


def require_not_reviewing(*, campaign: Campaign, user: User) -> None:
    """A manager who rates pairs of a campaign must not know how it stands before it has closed, nor whose response is
    whose from another campaign over the same comparison."""
    _require_not_reviewing(campaign.run_id, user)


def _require_not_reviewing(run: UUID, user: User) -> None:
    if _reviewing(user).filter(run=run).exists():
        raise DomainError(
            "reviewing_closed_report",
            "You are reviewing these pairs, so they and their results stay closed to you until that review has ended.",
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


class CountedRatings(NamedTuple):
    """Ratings as arrays, with the names of their codes: the prompts' keys, the reviewers' pseudonyms."""

    ratings: Ratings
    prompts: list[str]
    reviewers: list[str]


def ratings_arrays(campaign: Campaign) -> CountedRatings:
    """Every counted rating of the campaign in the candidate's terms, in the order in which they were submitted."""
    rows = list(
        counted_ratings(campaign).values_list(
            "assignment__item__pair__prompt_id",
            "assignment__reviewer_id",
            "assignment__candidate_left",
            "preference",
            "scores",
            "answers",
            "assignment__reviewer__is_simulated",
            "assignment__item__pair__prompt__key",
            "assignment__reviewer__number",
            "assignment__item__pair_id",
            "assignment__item__pair__prompt__tags",
        )
    )
    sides = [("right", "left") if row[2] else ("left", "right") for row in rows]
    arrays = Ratings(
        prompt=np.array([row[0] for row in rows], dtype=np.int64),
        reviewer=np.array([row[1] for row in rows], dtype=np.int64),
        outcome=np.array([OUTCOMES.index(outcome_of(row[3], row[2])) for row in rows], dtype=np.int64),
        candidate_left=np.array([row[2] for row in rows], dtype=bool),
        criteria={
            name: _both([row[4] for row in rows], name, sides) for name in side_fields(campaign, "scale")
        },
        yes_no={
            name: _both([row[5] for row in rows], name, sides) for name in side_fields(campaign, "yes_no")
        },
        slices=_slices([row[10] for row in rows]),
        lengths=_lengths(campaign, [row[9] for row in rows]),
        simulated=any(row[6] for row in rows),
        n_simulated=sum(row[6] for row in rows),
    )
    # A code is the place of its id among the sorted ones.
    prompts = [key for _, key in sorted({(row[0], row[7]) for row in rows})]
    reviewers = [f"r{number}" for _, number in sorted({(row[1], row[8]) for row in rows})]
    return CountedRatings(arrays, prompts, reviewers)


def _both(
    given: list[dict[str, Any]], name: str, sides: list[tuple[str, str]]
) -> tuple[FloatArray, FloatArray]:
    """What was given to (baseline, candidate) under `name`, rating by rating."""
    answers = [one.get(name) or {} for one in given]
    baseline, candidate = (
        np.array([_score(one, both[side]) for one, both in zip(answers, sides, strict=True)], dtype=float)
        for side in (0, 1)
    )
    return baseline, candidate


def _slices(tags: list[dict[str, str]]) -> dict[str, Slicing]:
    """The prompts' tags, rating by rating."""
    names = sorted({name for one in tags for name in one})
    return {name: slicing([one.get(name) for one in tags]) for name in names}


def _lengths(campaign: Campaign, pairs: list[int]) -> tuple[FloatArray, FloatArray]:
    """Words of both responses for the pair of each rating."""
    reviewed = Pair.objects.filter(pk__in=campaign.items.values("pair")).values_list(
        "pk", "baseline__text", "candidate__text"
    )
    words = {
        pk: (len(base.split()), len(tuned.split())) for pk, base, tuned in reviewed.iterator(chunk_size=2000)
    }
    found = np.array([words[pk] for pk in pairs], dtype=float).reshape(-1, 2)
    return found[:, 0], found[:, 1]


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
    jobs = _visible(Job.objects.select_related("trainingrun", "generationrun", "opening__campaign"), user)
    return {
        "active_jobs": jobs.filter(status__in=[Job.Status.RUNNING, Job.Status.QUEUED]).order_by(
            "-status", "created_at"
        ),
        "failed_jobs": jobs.filter(status=Job.Status.FAILED).order_by("-finished_at")[:3],
        "campaigns": campaigns_rated(user=user)
        .filter(status__in=[Campaign.Status.OPEN, Campaign.Status.PAUSED])
        .order_by("-opened_at"),
        "reports": _visible(Report.objects.select_related("campaign"), user)
        .exclude(campaign__run__in=_reviewing(user).values("run"))
        .order_by("-created_at")[:5],
        "steps": _steps(),
    }


def _reviewing(user: User) -> QuerySet[Campaign]:
    """Campaigns that this user reviews and that have not ended."""
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


def reports_up_to(report: Report) -> QuerySet[Report]:
    """This report and those of the looks before it, in their order."""
    return Report.objects.filter(campaign=report.campaign, look__lte=report.look).order_by("look")


def report(*, user: User, campaign: Campaign, look: int) -> Report:
    return _one(reports(user=user, campaign=campaign), look=look)


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


def side_fields(campaign: Campaign, kind: str) -> list[str]:
    """Keys of the rubric's fields of this kind that are asked for each side: scales are the criteria."""
    return [f["key"] for f in campaign.rubric["fields"] if f["kind"] == kind and f["per"] == "side"]


def counted_ratings(campaign: Campaign) -> QuerySet[Rating]:
    """The ratings that reports and exports are made of, in the order in which they were submitted."""
    return Rating.objects.filter(campaign=campaign, kind="real").order_by("pk")
