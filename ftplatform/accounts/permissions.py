"""Access rules: decorators for pages and permission classes for the API, both based on `has_role`."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from ftplatform.accounts.models import ApiToken, User

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]
AdminOnly = (User.Role.ADMIN,)
Staff = (User.Role.ADMIN, User.Role.MANAGER)


class StaffRequest(HttpRequest):
    """A request from a signed-in user, as views behind `roles` receive it."""

    user: User


def has_role(user: Any, roles: tuple[User.Role, ...]) -> bool:
    return isinstance(user, User) and user.is_active and user.role in roles


def roles(
    *allowed: User.Role,
) -> Callable[[Callable[Concatenate[StaffRequest, P], HttpResponseBase]], View[P]]:
    """Restrict a view to these roles. Other signed-in users get 403; anonymous users get the sign-in page."""

    def decorate(view: Callable[Concatenate[StaffRequest, P], HttpResponseBase]) -> View[P]:
        @wraps(view)
        def guarded(request: Any, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not has_role(request.user, allowed):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        entered: Any = login_required(guarded)
        entered.access = allowed
        return entered  # type: ignore[no-any-return]

    return decorate


def open_to_all(view: View[P]) -> View[P]:
    """Mark a page as public. A test fails any page that is neither restricted nor marked."""
    marked: Any = view
    marked.access = "anyone"
    return marked  # type: ignore[no-any-return]


class NoAccess(BasePermission):
    """The default permission: an endpoint that declares none denies all access."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return False


class RolePermission(BasePermission):
    """Reads need a role in `view.read_roles`, writes one in `view.write_roles`. A token also needs the scope."""

    def has_permission(self, request: Request, view: Any) -> bool:
        reading = request.method in SAFE_METHODS
        if not has_role(request.user, view.read_roles if reading else view.write_roles):
            return False
        if not isinstance(request.auth, ApiToken):
            return True
        return (ApiToken.Scope.READ if reading else view.write_scope) in request.auth.scopes
