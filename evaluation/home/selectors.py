"""Reads for the home page."""

from typing import Any

from evaluation.access import campaigns_under_review, visible
from evaluation.models import (
    Campaign,
    Pair,
    Rating,
    Report,
)
from evaluation.review.selectors.progress import campaigns_rated
from ftplatform.accounts.models import User
from ftplatform.jobs.models import Job
from training.models import Dataset, ModelVersion


def needs_attention(*, user: User) -> dict[str, Any]:
    """Active work, failed work and open campaigns, for the home page."""
    jobs = visible(Job.objects.select_related("trainingrun", "comparison", "opening__campaign"), user)
    return {
        "active_jobs": jobs.filter(status__in=[Job.Status.RUNNING, Job.Status.QUEUED]).order_by(
            "-status", "created_at"
        ),
        "failed_jobs": jobs.filter(status=Job.Status.FAILED).order_by("-finished_at")[:3],
        "campaigns": campaigns_rated(user=user)
        .filter(status__in=[Campaign.Status.OPEN, Campaign.Status.PAUSED])
        .order_by("-opened_at"),
        "reports": visible(Report.objects.select_related("campaign"), user)
        .exclude(campaign__comparison__in=campaigns_under_review(user).values("comparison"))
        .order_by("-created_at")[:5],
        "steps": _steps(),
    }


def _steps() -> dict[str, Any]:
    """Which setup steps this site has completed, and whether any remain."""
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
