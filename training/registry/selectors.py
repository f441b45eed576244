"""Lineage, jobs and figures of models."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from ftplatform.accounts.models import User
from ftplatform.jobs.models import Job
from training.access import get_or_404, visible
from training.models import ModelJob, ModelVersion
from training.runs.selectors.comparing import run_summary

MAX_LINEAGE = 50


def lineage(model: ModelVersion) -> dict[str, Any]:
    """A model's family, from its base to merged models, with the comparisons in which it was the candidate.

    `adapters` has at most `MAX_LINEAGE` of a base's adapters; `more` says how many were left out.
    """
    adapter = model.source or (model if model.kind == ModelVersion.Kind.ADAPTER else None)
    children = model.adapters.filter(kind=ModelVersion.Kind.ADAPTER).select_related("run__dataset", "merged")
    total = children.count()
    return {
        "base": model.base or (model if model.kind == ModelVersion.Kind.BASE else None),
        "adapter": adapter,
        "run": adapter.run if adapter else None,
        "merged": getattr(adapter, "merged", None) if adapter else None,
        "adapters": children[:MAX_LINEAGE],
        "more": max(0, total - MAX_LINEAGE),
    }


def model_summary(model: ModelVersion) -> list[dict[str, Any]]:
    """`run_summary` of the run that produced an adapter or a merged model; empty for others."""
    run = (model.source or model).run
    return run_summary(run) if run else []


def unfinished_downloads(*, user: User) -> QuerySet[ModelJob]:
    """Recent downloads and conversions that are queued, running, or ended without a model."""
    jobs = visible(ModelJob.objects.select_related("model"), user)
    kinds = (Job.Kind.DOWNLOAD, Job.Kind.CONVERSION)
    return jobs.filter(kind__in=kinds, model__isnull=True).order_by("-created_at")[:10]


def model_jobs(*, user: User) -> QuerySet[ModelJob]:
    return visible(ModelJob.objects.select_related("model", "created_by"), user)


def model_job(*, user: User, pk: UUID) -> ModelJob:
    return get_or_404(model_jobs(user=user), pk)


def model_work(model: ModelVersion) -> dict[str, Any]:
    """The newest verification and merge of a model, and whether one of them is unfinished."""
    verification = model.file_jobs.filter(kind=Job.Kind.VERIFICATION).first()
    merge = model.merges.first()
    return {
        "verification": verification,
        "merge": merge,
        "busy": any(job is not None and not job.is_finished for job in (verification, merge)),
    }
