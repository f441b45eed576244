"""The start page, which depends on the user's role."""

from django.http import HttpResponse
from django.shortcuts import redirect, render

from ftplatform.accounts.models import User
from ftplatform.accounts.permissions import StaffRequest, roles


@roles(*User.Role)
def home(request: StaffRequest) -> HttpResponse:
    """Redirect staff to the overview. Reviewers enter through an invitation link."""
    if request.user.role == User.Role.REVIEWER:
        return render(request, "home_reviewer.html")
    return redirect("evaluation:overview")
