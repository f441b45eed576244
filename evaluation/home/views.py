"""The home page for staff: what needs attention, and the steps from a dataset to a report."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from evaluation.home import selectors
from ftplatform.accounts.models import User
from ftplatform.accounts.permissions import Staff, StaffRequest, roles
from ftplatform.jobs.models import Job


@dataclass(frozen=True)
class Step:
    """One step of the guide. `new` is the page that starts it; `done` lists its results."""

    key: str
    label: str
    text: str
    new: str
    done: str
    admins_only: bool = False


GUIDE = (
    Step(
        "dataset",
        "Upload dataset",
        "Examples of what the model is asked and what it should answer.",
        "training:dataset_new",
        "training:datasets",
        admins_only=True,
    ),
    Step(
        "model",
        "Register base model",
        "The model to improve, in a folder that the workers can read.",
        "training:model_new",
        "training:models",
        admins_only=True,
    ),
    Step(
        "training",
        "Launch training run",
        "QLoRA trains a small adapter for the base model.",
        "training:run_new",
        "training:runs",
        admins_only=True,
    ),
    Step(
        "comparison",
        "Compare base and tuned model",
        "Both models answer the same held-out prompts.",
        "evaluation:comparison_new",
        "evaluation:comparisons",
    ),
    Step(
        "review",
        "Open review campaign",
        "Reviewers rate pairs without knowing which model wrote which response.",
        "evaluation:campaign_new",
        "evaluation:campaigns",
    ),
    Step(
        "report",
        "Read report",
        "A verdict with its uncertainty, to decide the release.",
        "evaluation:campaigns",
        "evaluation:campaigns",
    ),
)


@roles(*Staff)
@require_GET
def overview(request: StaffRequest) -> HttpResponse:
    attention = selectors.needs_attention(user=request.user)
    steps = attention.pop("steps")
    context = {
        "guide": _guide(request.user, steps) if steps["next"] else [],
        "waits_for_admin": any(
            step.key == steps["next"] and not _may_take(request.user, step) for step in GUIDE
        ),
        "active_jobs": [_described(job) for job in attention.pop("active_jobs")],
        "failed_jobs": [_described(job) for job in attention.pop("failed_jobs")],
    }
    return render(request, "evaluation/home/overview.html", attention | context)


def _may_take(user: User, step: Step) -> bool:
    return user.is_admin or not step.admins_only


def _guide(user: User, steps: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps with their links.

    A step links to the page that starts it. A step that is done, or that this user may not start, links to the list
    of its results.
    """
    return [
        {
            "label": step.label,
            "text": step.text,
            "done": steps[step.key],
            "current": step.key == steps["next"] and _may_take(user, step),
            "url": reverse(step.done if steps[step.key] or not _may_take(user, step) else step.new),
        }
        for step in GUIDE
    ]


def _described(job: Job) -> dict[str, Any]:
    """A job with its name, its page ("" if it has none), and the unit of its progress."""
    if job.kind == Job.Kind.TRAINING:
        return {
            "job": job,
            "name": job.trainingrun.name,
            "what": "training run",
            "url": reverse("training:run", args=[job.pk]),
            "unit": "steps",
        }
    if job.kind == Job.Kind.GENERATION:
        return {
            "job": job,
            "name": job.comparison.name,
            "what": "comparison",
            "url": reverse("evaluation:comparison", args=[job.pk]),
            "unit": "responses",
        }
    if job.kind == Job.Kind.OPENING:
        campaign = job.opening.campaign
        return {
            "job": job,
            "name": campaign.title,
            "what": "campaign is opening",
            "url": reverse("evaluation:campaign", args=[campaign.pk]),
            "unit": "",
        }
    return {"job": job, "name": job.get_kind_display(), "what": "", "url": "", "unit": ""}
