"""What every endpoint of the API shares: strict bodies, idempotency keys, who may enter."""

from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from ftplatform.accounts.models import ApiToken, User
from ftplatform.accounts.permissions import AdminOnly, RolePermission, Staff


def parse(serializer: type[BaseSerializer[Any]], request: Request) -> dict[str, Any]:
    """The validated body; a field that the endpoint does not know is an error, never silently ignored."""
    body = serializer(data=request.data)
    if isinstance(request.data, dict):
        unknown = sorted(set(request.data) - set(body.fields))  # type: ignore[attr-defined]
        if unknown:
            raise ValidationError(dict.fromkeys(unknown, "Unknown field."))
    body.is_valid(raise_exception=True)
    values: dict[str, Any] = body.validated_data
    return values


def idempotency_key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 1 <= len(key) <= 100:
        raise ValidationError({"Idempotency-Key": "Use 1 to 100 characters."})
    return key


def signed_in(request: Request) -> User:
    """The user behind a request that `RolePermission` has let in."""
    assert isinstance(request.user, User)  # noqa: S101 (RolePermission has checked it)
    return request.user


class StaffViewSet(GenericViewSet[Any]):
    """Read by staff, written by `write_roles`; a token needs the scope as well."""

    permission_classes = [RolePermission]
    lookup_value_converter = "uuid"
    read_roles: tuple[User.Role, ...] = Staff
    write_roles: tuple[User.Role, ...] = AdminOnly
    write_scope: ApiToken.Scope = ApiToken.Scope.TRAIN
    filterset_fields: tuple[str, ...] = ()
