"""The practice round, one explained example at a time."""

from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from evaluation.models import Rating
from evaluation.review.api.review import ReviewerView, reviewer_of
from evaluation.review.services import practice
from ftplatform.api.endpoints import parse


class PracticeAnswerSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField(min_value=0)
    preference = serializers.ChoiceField(choices=Rating.Preference.choices)


class Practice(ReviewerView):
    @extend_schema(
        responses={
            200: OpenApiResponse(description="The practice pair to answer now"),
            204: OpenApiResponse(description="The round is over"),
        }
    )
    def get(self, request: Request, campaign: UUID) -> Response:
        reviewer = reviewer_of(request)
        if reviewer.campaign_id != campaign:
            raise Http404
        item = practice.current(reviewer)
        return Response(item) if item else Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        request=PracticeAnswerSerializer,
        responses={200: OpenApiResponse(description="Whether it was right, and why")},
    )
    def post(self, request: Request, campaign: UUID) -> Response:
        values, reviewer = parse(PracticeAnswerSerializer, request), reviewer_of(request)
        if reviewer.campaign_id != campaign:
            raise Http404
        return Response(practice.answer(reviewer=reviewer, **values))
