"""The sample size of a campaign: its power, and what it costs in reviewers, hours and money."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from evaluation import access
from evaluation.review import planning
from evaluation.review.charts import power_chart
from evaluation.review.forms.planning import PlanForm
from ftplatform.accounts.models import User
from ftplatform.accounts.permissions import Staff, StaffRequest, roles


@roles(*Staff)
@require_GET
def plan(request: StaffRequest) -> HttpResponse:
    """All inputs are in the URL, so that a plan can be bookmarked and shared."""
    form = PlanForm(request.GET or None, user=request.user)
    context: dict[str, Any] = {"form": form, "answer": None}
    if not form.is_bound or form.is_valid():
        question = form.question
        answer = planning.answer(question)
        context |= {
            "answer": answer,
            "sentences": planning.sentences(question, answer),
            "chart": power_chart(answer, question.effect),
            "currency": form.shown("currency"),
            "basis": _basis(answer, form, request.user),
            "draft_query": form.draft_query,
        }
    return render(request, "evaluation/review/plan.html", context, status=400 if form.errors else 200)


def _basis(answer: dict[str, Any], form: PlanForm, user: User) -> str:
    """The basis of the figures: a pilot, or assumptions about the panel."""
    if form.calibration is not None:
        return planning.calibration_sentence(form.calibration)
    return planning.assumption_sentence(
        answer["variation"], has_pilots=access.campaigns(user=user).filter(is_pilot=True).exists()
    )
