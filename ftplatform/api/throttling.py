"""Limits by address that a page and its endpoint share."""

from typing import Any

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from ftplatform.errors import DomainError


class InviteThrottle(SimpleRateThrottle):
    """A link may be shared by a whole office, but not drained by one machine."""

    scope = "invite"
    rate = "60/hour"

    def get_cache_key(self, request: Request, view: Any) -> str:
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}


def require_room(throttle: SimpleRateThrottle, request: HttpRequest) -> None:
    """The same limit for a page; raises DomainError `throttled`."""
    if not throttle.allow_request(Request(request), None):  # type: ignore[arg-type]
        raise DomainError(
            "throttled", "Too many tries from your address. Please wait an hour and try again.", status=429
        )
