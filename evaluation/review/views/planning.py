"""How large a campaign must be: the power of a plan, and what it costs in people, hours and money."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from evaluation import access
from evaluation.review import planning
from evaluation.review.charts import power_chart
from evaluation.review.forms.planning import PlanForm
from ftplatform.accounts.permissions import Staff, StaffRequest, roles


@roles(*Staff)
@require_GET
def plan(request: StaffRequest) -> HttpResponse:
    """Everything is in the address, so that a plan can be kept and sent."""
    form = PlanForm(request.GET or None, user=request.user)
    context: dict[str, Any] = {"form": form, "answer": None}
    if not form.is_bound or form.is_valid():
        question = form.question
        found = planning.answer(question)
        context |= {
            "answer": found,
            "sentences": planning.sentences(question, found),
            "chart": power_chart(found, question.effect),
            "currency": form.shown("currency"),
            "pilots": access.campaigns(user=request.user).filter(is_pilot=True).exists(),
            "calibrated": form.calibration,
        }
    return render(request, "evaluation/review/plan.html", context, status=400 if form.errors else 200)
