"""Pages for accounts and API tokens."""

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from ftplatform.accounts import selectors, services
from ftplatform.accounts.forms import TokenForm, UserForm
from ftplatform.accounts.permissions import AdminOnly, Staff, StaffRequest, roles
from ftplatform.errors import DomainError


@roles(*AdminOnly)
@never_cache
@require_http_methods(["GET", "POST"])
def users(request: StaffRequest) -> HttpResponse:
    """List accounts and create new ones. The initial password is shown once, on this page."""
    form = UserForm(request.POST or None)
    created, password = None, ""
    if request.method == "POST" and form.is_valid():
        try:
            created, password = services.create_user(actor=request.user, **form.cleaned_data)
            form = UserForm()
        except DomainError as error:
            form.add_error("email", error.detail)
    page = Paginator(selectors.users(user=request.user), 50).get_page(request.GET.get("page"))
    context = {"form": form, "page_obj": page, "made": created, "password": password}
    return render(request, "accounts/users.html", context, status=400 if form.errors else 200)


@roles(*Staff)
@never_cache
@require_http_methods(["GET", "POST"])
def tokens(request: StaffRequest) -> HttpResponse:
    """List the user's tokens and issue new ones. The key is shown once, on this page."""
    form = TokenForm(request.POST or None)
    key = ""
    if request.method == "POST" and form.is_valid():
        _, key = services.issue_token(user=request.user, **form.cleaned_data)
        form = TokenForm()
    context = {"form": form, "tokens": selectors.tokens(user=request.user), "key": key}
    return render(request, "accounts/tokens.html", context, status=400 if form.errors else 200)


@roles(*Staff)
@require_POST
def token_revoke(request: StaffRequest, pk: int) -> HttpResponse:
    services.revoke_token(user=request.user, token=selectors.token(user=request.user, pk=pk))
    return redirect("accounts:tokens")
