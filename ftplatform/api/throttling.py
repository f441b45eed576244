"""Rate limits by client address, shared by a page and its API endpoint."""

from typing import Any

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from ftplatform.errors import DomainError


class InviteThrottle(SimpleRateThrottle):
    """A whole office may share a link, but a single machine must not use it up."""

    scope = "invite"
    rate = "60/hour"

    def get_cache_key(self, request: Request, view: Any) -> str:
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}


def require_room(throttle: SimpleRateThrottle, request: HttpRequest) -> None:
    """Apply the same limit to a page. Raises DomainError `throttled`."""
    if not throttle.allow_request(Request(request), None):  # type: ignore[arg-type]
        raise DomainError(
            "throttled", "Too many tries from your address. Please wait an hour and try again.", status=429
        )
