"""Reviewer actions on a pair other than submitting its rating."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from evaluation.models import Remark
from evaluation.review.api.blind import stored_rating
from evaluation.review.api.review import ReviewerView, reviewer_of
from evaluation.review.api.serializers import RatingSerializer
from evaluation.review.services import drafts, ratings, reported_problems
from evaluation.review.services.ratings import Answer
from ftplatform.api.endpoints import parse


class RemarkSerializer(serializers.Serializer[Remark]):
    reason = serializers.ChoiceField(choices=Remark.Reason.choices)
    text = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=reported_problems.MAX_TEXT
    )


class DraftSerializer(serializers.Serializer[Any]):
    content = serializers.DictField()


class ReviseRating(ReviewerView):
    @extend_schema(
        request=RatingSerializer, responses={200: OpenApiResponse(description="The rating as it is now")}
    )
    def post(self, request: Request, token: UUID) -> Response:
        answer = Answer(**parse(RatingSerializer, request))
        rating = ratings.revise(reviewer=reviewer_of(request), token=token, answer=answer)
        return Response(stored_rating(rating))


class SaveDraft(ReviewerView):
    @extend_schema(request=DraftSerializer, responses={204: OpenApiResponse(description="Kept")})
    def put(self, request: Request, token: UUID) -> Response:
        content = parse(DraftSerializer, request)["content"]
        drafts.save(reviewer=reviewer_of(request), token=token, content=content)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SkipPair(ReviewerView):
    @extend_schema(request=RemarkSerializer, responses={204: OpenApiResponse(description="Given back")})
    def post(self, request: Request, token: UUID) -> Response:
        reported_problems.skip(reviewer=reviewer_of(request), token=token, **parse(RemarkSerializer, request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ReportProblem(ReviewerView):
    @extend_schema(request=RemarkSerializer, responses={204: OpenApiResponse(description="Passed on")})
    def post(self, request: Request, token: UUID) -> Response:
        reported_problems.report_problem(
            reviewer=reviewer_of(request), token=token, **parse(RemarkSerializer, request)
        )
        return Response(status=status.HTTP_204_NO_CONTENT)
