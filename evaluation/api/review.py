"""The reviewer's three endpoints."""

from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from evaluation.api.authentication import IsReviewer, ReviewerAuthentication
from evaluation.api.serializers import RatingSerializer, blind_assignment, stored_rating
from evaluation.models import Reviewer
from evaluation.services import assignment, ratings
from ftplatform.accounts.authentication import ApiTokenAuthentication
from ftplatform.accounts.models import User
from ftplatform.api.endpoints import parse


class InviteThrottle(SimpleRateThrottle):
    """A link may be shared by a whole office, but not drained by one machine."""

    scope = "invite"
    rate = "60/hour"

    def get_cache_key(self, request: Request, view: Any) -> str:
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}


class ReviewerView(APIView):
    authentication_classes = [ReviewerAuthentication]
    permission_classes = [IsReviewer]

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Nothing that a reviewer gets may be kept by a cache."""
        final = super().finalize_response(request, response, *args, **kwargs)
        final["Cache-Control"] = "no-store"
        return final


def _reviewer(request: Request) -> Reviewer:
    assert isinstance(request.auth, Reviewer)  # noqa: S101 (IsReviewer has checked it)
    return request.auth


class AcceptInvite(ReviewerView):
    """Anybody with the link; whoever is signed in stays known, because a manager who reviews must not see results."""

    authentication_classes = [ApiTokenAuthentication, SessionAuthentication]
    permission_classes = [AllowAny]
    throttle_classes = [InviteThrottle]

    @extend_schema(request=None, responses={200: OpenApiResponse(description="{reviewer_token, campaign}")})
    def post(self, request: Request, code: str) -> Response:
        user = request.user if isinstance(request.user, User) else None
        reviewer, token = assignment.join(code=code, user=user)
        return Response({"reviewer_token": token, "campaign": str(reviewer.campaign_id)})


class NextAssignment(ReviewerView):
    @extend_schema(
        request=None,
        responses={
            200: OpenApiResponse(description="A blind pair"),
            204: OpenApiResponse(description="Nothing left"),
        },
    )
    def post(self, request: Request, campaign: UUID) -> Response:
        reviewer = _reviewer(request)
        if reviewer.campaign_id != campaign:
            raise Http404
        found = assignment.next_for(reviewer=reviewer)
        if found is None:
            return Response(status=status.HTTP_204_NO_CONTENT)
        return Response(blind_assignment(found))


class SubmitRating(ReviewerView):
    @extend_schema(
        request=RatingSerializer, responses={200: OpenApiResponse(description="The stored rating")}
    )
    def put(self, request: Request, token: UUID) -> Response:
        values = parse(RatingSerializer, request)
        return Response(stored_rating(ratings.submit(reviewer=_reviewer(request), token=token, **values)))
