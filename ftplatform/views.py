"""The way in: each role is sent to what it came for."""

from django.http import HttpResponse
from django.shortcuts import redirect, render

from ftplatform.accounts.models import User
from ftplatform.accounts.permissions import StaffRequest, roles


@roles(*User.Role)
def home(request: StaffRequest) -> HttpResponse:
    """Staff land on what needs them now; a reviewer's way in is an invitation link."""
    if request.user.role == User.Role.REVIEWER:
        return render(request, "home_reviewer.html")
    return redirect("evaluation:overview")
