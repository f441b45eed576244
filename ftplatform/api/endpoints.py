"""Shared behaviour of all API endpoints: strict bodies, idempotency keys and permissions."""

from functools import cache
from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from ftplatform.accounts.models import ApiToken, User
from ftplatform.accounts.permissions import AdminOnly, RolePermission, Staff
from ftplatform.api import idempotency
from ftplatform.api.models import AnsweredWrite
from ftplatform.api.old_names import with_new_names


def parse(serializer: type[BaseSerializer[Any]], request: Request) -> dict[str, Any]:
    """Return the validated body. An unknown field is an error; it is never silently ignored."""
    return check(serializer, request.data)


def check(serializer: type[BaseSerializer[Any]], given: Any) -> dict[str, Any]:
    """Like `parse`, for a body or for query parameters."""
    kind: Any = serializer
    body = _reader(kind)
    if isinstance(given, dict):
        given = with_new_names(given, getattr(serializer, "old_names", {}))
        unknown = sorted(set(given) - set(body.fields))
        if unknown:
            raise ValidationError(dict.fromkeys(unknown, "Unknown field."))
    values: dict[str, Any] = body.run_validation(given)
    return values


@cache
def _reader(serializer: Any) -> Any:
    """One serializer for all requests: it keeps no state, and building its fields costs more than validation."""
    return serializer()


def idempotency_key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 1 <= len(key) <= 100:
        raise ValidationError({"Idempotency-Key": "Use 1 to 100 characters."})
    return key


def signed_in(request: Request) -> User:
    """The user of a request that `RolePermission` has accepted."""
    assert isinstance(request.user, User)  # noqa: S101 (RolePermission has checked it)
    return request.user


class AnsweredBefore(Exception):
    """Raised to skip the endpoint for a repeated write; `response` is the answer to the first request."""

    def __init__(self, response: Response) -> None:
        super().__init__("answered before")
        self.response = response


class StaffViewSet(GenericViewSet[Any]):
    """Staff can read and `write_roles` can write; a token also needs the scope. Every write accepts an
    Idempotency-Key (see `ftplatform.api.idempotency`)."""

    permission_classes = [RolePermission]
    lookup_value_converter = "uuid"
    read_roles: tuple[User.Role, ...] = Staff
    write_roles: tuple[User.Role, ...] = AdminOnly
    write_scope: ApiToken.Scope = ApiToken.Scope.TRAIN
    filterset_fields: tuple[str, ...] = ()
    _claimed: AnsweredWrite | None = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        key = None if request.method in SAFE_METHODS else idempotency_key(request)
        if key is not None:
            replay = idempotency.begin(user=signed_in(request), key=key, request=request)
            if isinstance(replay, Response):
                raise AnsweredBefore(replay)
            self._claimed = replay

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, AnsweredBefore):
            return exc.response
        try:
            return super().handle_exception(exc)
        except Exception:
            if self._claimed is not None:
                idempotency.give_back(self._claimed)
            raise

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        final = super().finalize_response(request, response, *args, **kwargs)
        if self._claimed is not None:
            idempotency.finish(self._claimed, final)
            self._claimed = None
        return final
