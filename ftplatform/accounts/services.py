"""Create accounts and API tokens."""

import secrets
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from ftplatform.accounts import audit
from ftplatform.accounts.models import ApiToken, User
from ftplatform.errors import DomainError

MAX_TOKEN_DAYS = 365


@transaction.atomic
def ensure_admin(email: str = "admin@localhost.localdomain") -> tuple[str, str | None]:
    """Create the first admin of an empty installation. Return (email, password); password is None if one existed.

    The password is random and shown once: there is no default account.
    """
    existing = User.objects.filter(role=User.Role.ADMIN, is_active=True).order_by("pk").first()
    if existing is not None:
        return existing.email, None
    password = secrets.token_urlsafe(12)
    user = User.objects.create_superuser(email, password, name="Admin")
    audit.record(actor=None, action="user.first_admin", target=user)
    return user.email, password


@transaction.atomic
def ensure_user(*, email: str, name: str, role: str, password: str) -> User:
    """Return the account with this address; create it with these details if there is none."""
    user = User.objects.filter(email=email).first()
    if user is None:
        user = User.objects.create_user(email, password, name=name, role=role)
        audit.record(actor=None, action="user.create", target=user, role=role)
    return user


@transaction.atomic
def create_user(*, actor: User, email: str, name: str, role: str) -> tuple[User, str]:
    """Create an account. Return it with a random password, which is shown once."""
    if User.objects.filter(email=email.lower()).exists():
        raise DomainError("email_taken", f"An account for {email} already exists.")
    password = secrets.token_urlsafe(12)
    user = User.objects.create_user(email, password, name=name, role=role)
    audit.record(actor=actor, action="user.create", target=user, role=role)
    return user, password


@transaction.atomic
def issue_token(*, user: User, name: str, scopes: list[str], days: int) -> tuple[ApiToken, str]:
    """Create an API token. Return it with its key, which is shown once.

    Raises DomainError `invalid_scopes` or `invalid_period`.
    """
    unknown = sorted(set(scopes) - set(ApiToken.Scope.values))
    if unknown or not scopes:
        raise DomainError("invalid_scopes", f"Choose from {', '.join(ApiToken.Scope.values)}.", status=400)
    if not 1 <= days <= MAX_TOKEN_DAYS:
        raise DomainError(
            "invalid_period", f"A token can be valid for 1 to {MAX_TOKEN_DAYS} days.", status=400
        )
    token, key = ApiToken.issue(
        user=user, name=name, scopes=sorted(scopes), expires_at=timezone.now() + timedelta(days=days)
    )
    audit.record(actor=user, action="token.issue", target=token, scopes=sorted(scopes))
    return token, key


@transaction.atomic
def revoke_token(*, user: User, token: ApiToken) -> None:
    if ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=timezone.now()):
        audit.record(actor=user, action="token.revoke", target=token)


def acting_admin() -> User:
    """The admin recorded as the actor of commands on the server. Whoever can run them has an admin's power already."""
    admin = User.objects.filter(role=User.Role.ADMIN, is_active=True).order_by("pk").first()
    if admin is None:
        raise DomainError("no_admin", "There is no admin yet; run `python manage.py createsuperuser` first.")
    return admin
