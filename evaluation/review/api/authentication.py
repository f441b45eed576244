"""Authentication of reviewers: `Authorization: Reviewer TOKEN`, or the cookie set by the invitation."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from evaluation.models import Reviewer
from evaluation.review import statements
from evaluation.review.selectors import reviewing


class ReviewerAuthentication(BaseAuthentication):
    """`request.auth` is the Reviewer. `request.user` stays anonymous, so that no staff rule ever applies."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Reviewer] | None:
        parts = get_authorization_header(request).split()
        if parts and parts[0].lower() == b"reviewer":
            token = parts[1].decode("ascii", "replace") if len(parts) == 2 else ""
        else:
            token = self._cookie(request)
            if token:
                # Browsers send cookies automatically, so CSRF must be checked.
                SessionAuthentication().enforce_csrf(request)
        if not token:
            return None
        reviewer = statements.reviewer_by_token(token)
        if reviewer is None:
            raise AuthenticationFailed("This review link is not valid any more; open your invitation again.")
        return AnonymousUser(), reviewer

    def _cookie(self, request: Request) -> str:
        """The cookie of the campaign in the URL, found by the campaign's id or by the token of one of its pairs.

        A browser with only one reviewer cookie, by far the usual case, needs no database query.
        """
        mine = [
            value
            for name, value in request.COOKIES.items()
            if name.startswith(f"{settings.REVIEWER_COOKIE_NAME}-")
        ]
        if len(mine) < 2:
            return mine[0] if mine else ""
        named: dict[str, Any] = (request.parser_context or {}).get("kwargs", {})
        campaign = named.get("campaign")
        if campaign is None and "token" in named:
            campaign = reviewing.campaign_of_assignment(named["token"])
        return request.COOKIES.get(reviewing.reviewer_cookie(campaign), "") if campaign else ""

    def authenticate_header(self, request: Request) -> str:
        return "Reviewer"


class ReviewerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = ReviewerAuthentication
    name = "Reviewer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        description = "`Reviewer TOKEN`, the token that accepting an invitation gave."
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": description}


class IsReviewer(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.auth, Reviewer)
