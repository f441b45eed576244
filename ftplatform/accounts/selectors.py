"""Queries for accounts and tokens, limited to what the user may see."""

from django.db.models import QuerySet
from django.http import Http404

from ftplatform.accounts.models import ApiToken, User
from ftplatform.accounts.permissions import AdminOnly, has_role


def users(*, user: User) -> QuerySet[User]:
    everybody = User.objects.order_by("email")
    return everybody if has_role(user, AdminOnly) else everybody.none()


def tokens(*, user: User) -> QuerySet[ApiToken]:
    """The user's own tokens. Nobody can see those of another user."""
    return ApiToken.objects.filter(user=user)


def token(*, user: User, pk: int) -> ApiToken:
    instance = tokens(user=user).filter(pk=pk).first()
    if instance is None:
        raise Http404
    return instance
