"""The reviewer's three endpoints."""

from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.authentication import SessionAuthentication
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from evaluation.models import Reviewer
from evaluation.review.api.authentication import IsReviewer, ReviewerAuthentication
from evaluation.review.api.blind import blind_assignment, own_rating, stored_rating
from evaluation.review.api.serializers import AcceptSerializer, AfterSerializer, RatingSerializer
from evaluation.review.selectors import reviewing
from evaluation.review.services import assignments, drafts, invitations, ratings
from evaluation.review.services.ratings import Answer
from ftplatform.accounts.authentication import ApiTokenAuthentication
from ftplatform.accounts.models import User
from ftplatform.api.endpoints import check, parse
from ftplatform.api.parsers import TextJSONParser
from ftplatform.api.throttling import InviteThrottle


class OnlyJson(DefaultContentNegotiation):
    """Always JSON, whatever the request accepts. There is no other format, and negotiation costs time on each
    request."""

    def select_renderer(self, request: Any, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class ReviewerView(APIView):
    authentication_classes = [ReviewerAuthentication]
    permission_classes = [IsReviewer]
    content_negotiation_class = OnlyJson

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Forbid caching of everything sent to reviewers."""
        final = super().finalize_response(request, response, *args, **kwargs)
        final["Cache-Control"] = "no-store"
        return final


def reviewer_of(request: Request) -> Reviewer:
    assert isinstance(request.auth, Reviewer)  # noqa: S101 (IsReviewer has checked it)
    return request.auth


class AcceptInvite(ReviewerView):
    """Accept an invitation. Anyone with the link can.

    A signed-in user is linked to the reviewer, because a manager who reviews must not see results.
    """

    authentication_classes = [ApiTokenAuthentication, SessionAuthentication]
    permission_classes = [AllowAny]
    throttle_classes = [InviteThrottle]
    # Accept an empty body with any content type.
    parser_classes = [TextJSONParser, FormParser, MultiPartParser]

    @extend_schema(
        request=AcceptSerializer,
        responses={200: OpenApiResponse(description="{reviewer_token, campaign}")},
    )
    def post(self, request: Request, code: str) -> Response:
        user = request.user if isinstance(request.user, User) else None
        reviewer, token = invitations.join(code=code, user=user, **parse(AcceptSerializer, request))
        return Response({"reviewer_token": token, "campaign": str(reviewer.campaign_id)})


AFTER = OpenApiParameter("after", UUID, description="A pair in hand: the answer is the one to show after it.")


def _after(request: Request) -> UUID | None:
    if "after" not in request.query_params:
        return None
    token: UUID | None = check(AfterSerializer, {"after": request.query_params["after"]})["after"]
    return token


class NextAssignment(ReviewerView):
    @extend_schema(
        request=None,
        parameters=[
            AFTER,
            OpenApiParameter(
                "resume", str, description="Any value: the draft kept for the pair, or null, as well."
            ),
        ],
        responses={
            200: OpenApiResponse(description="A blind pair"),
            204: OpenApiResponse(description="Nothing left"),
        },
    )
    def post(self, request: Request, campaign: UUID) -> Response:
        reviewer = reviewer_of(request)
        if reviewer.campaign_id != campaign:
            raise Http404
        lease = assignments.next_for(reviewer=reviewer, after=_after(request))
        if lease is None:
            return Response(status=status.HTTP_204_NO_CONTENT)
        pair = blind_assignment(lease)
        if "resume" in request.query_params:
            pair["draft"] = drafts.content(lease)
        return Response(pair)


class SubmitRating(ReviewerView):
    @extend_schema(
        responses={200: OpenApiResponse(description="{pair, rating}: what was shown, what was said")}
    )
    def get(self, request: Request, token: UUID) -> Response:
        return Response(own_rating(reviewing.own_rating(reviewer_of(request), token)))

    @extend_schema(
        request=RatingSerializer,
        parameters=[
            OpenApiParameter(
                "next",
                str,
                description="Any value: the answer brings the following pair along as `next`, or null.",
            ),
            OpenApiParameter(
                "after", UUID, description="With `next`: the one to show after this pair in hand."
            ),
        ],
        responses={200: OpenApiResponse(description="The stored rating")},
    )
    def put(self, request: Request, token: UUID) -> Response:
        """Store the rating of a pair. With `?next` the response contains the next pair, so that each pair needs one
        request."""
        answer, reviewer = Answer(**parse(RatingSerializer, request)), reviewer_of(request)
        after = _after(request)
        if "next" not in request.query_params:
            return Response(stored_rating(ratings.submit(reviewer=reviewer, token=token, answer=answer)))
        rating, following = ratings.submit_and_go_on(
            reviewer=reviewer, token=token, after=after, answer=answer
        )
        pair = blind_assignment(following) if following else None
        return Response({**stored_rating(rating), "next": pair})
