"""Pages for staff: prompt sets, comparisons, campaigns."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from evaluation.home import selectors
from ftplatform.accounts.permissions import Staff, StaffRequest, roles

PAGE = 50


@roles(*Staff)
@require_GET
def overview(request: StaffRequest) -> HttpResponse:
    return render(request, "evaluation/home/overview.html", selectors.needs_attention(user=request.user))
