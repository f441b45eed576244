"""Endpoints of campaigns, their reviewers and the rubric library. They call the same services as the pages."""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from evaluation import access
from evaluation.comparison.selectors import responses
from evaluation.models import Campaign, CampaignAction, Opening, RubricVersion
from evaluation.review import planning
from evaluation.review.api import campaign_serializers as serializers
from evaluation.review.selectors import library, reviewers
from evaluation.review.selectors.progress import campaign_progress
from evaluation.review.services import (
    amendments,
    campaigns,
    crowd,
    erasure,
    follow_ups,
    invitations,
    openings,
    pay,
    rubric_library,
)
from evaluation.staff_api import EvaluationViewSet
from ftplatform.api.endpoints import parse, signed_in

_DONE = {200: OpenApiResponse(description="What was done")}


class CampaignViewSet(EvaluationViewSet):
    queryset = Campaign.objects.none()  # for the schema only; see get_queryset
    serializer_class = serializers.CampaignSerializer
    filterset_fields: tuple[str, ...] = ("status", "comparison", "is_pilot")
    old_filters: ClassVar[dict[str, str]] = {"run": "comparison"}

    def get_queryset(self) -> QuerySet[Campaign]:
        return access.campaigns(user=signed_in(self.request))

    def get_serializer_class(self) -> type[BaseSerializer[Campaign]]:
        one = self.action == "retrieve"
        return serializers.CampaignDetailSerializer if one else serializers.CampaignSerializer

    def _campaign(self, pk: UUID) -> Campaign:
        return access.campaign(user=signed_in(self.request), pk=pk)

    def _answer(self, pk: UUID) -> Response:
        return Response(serializers.CampaignDetailSerializer(self._campaign(pk)).data)

    def _with_rubric(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values with the text of the library version, if one is given."""
        if "looks" in values:
            values["looks"] = tuple(values["looks"])
        if (pk := values.pop("rubric_version", None)) is None:
            return values
        version = library.version(user=signed_in(self.request), pk=pk)
        return values | {"rubric_version": version, "rubric_text": version.text}

    @extend_schema(
        request=serializers.CampaignCreateSerializer, responses={201: serializers.CampaignDetailSerializer}
    )
    def create(self, request: Request) -> Response:
        values = self._with_rubric(parse(serializers.CampaignCreateSerializer, request))
        user = signed_in(request)
        comparison = access.comparison(user=user, pk=values.pop("comparison"))
        chosen = values.pop("candidate")
        candidate = responses.candidate(comparison=comparison, pk=str(chosen)) if chosen else None
        campaign = campaigns.create(user=user, comparison=comparison, candidate=candidate, **values)
        return Response(serializers.CampaignDetailSerializer(campaign).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        request=serializers.CampaignUpdateSerializer, responses={200: serializers.CampaignDetailSerializer}
    )
    def partial_update(self, request: Request, pk: UUID) -> Response:
        """Change a draft. Settings that are not given keep their values."""
        values = self._with_rubric(parse(serializers.CampaignUpdateSerializer, request))
        campaigns.update_draft(campaign=self._campaign(pk), user=signed_in(request), **values)
        return self._answer(pk)

    @extend_schema(
        request=None,
        responses={
            200: OpenApiResponse(description="{invite_code, invite_url}"),
            202: OpenApiResponse(description="A large one: {opening}, how far it is"),
        },
    )
    @action(detail=True, methods=["post"])
    def open(self, request: Request, pk: UUID) -> Response:
        """Open the campaign. A worker opens a large one: repeat the request, which never starts a second job, until
        it returns 200."""
        opening = openings.start(campaign=self._campaign(pk), user=signed_in(request))
        if isinstance(opening, Opening):
            return Response({"opening": serializers.opening(opening)}, status=status.HTTP_202_ACCEPTED)
        link = crowd.link(opening, request.build_absolute_uri("/"))
        return Response({"invite_code": opening.code, "invite_url": link})

    @extend_schema(
        request=None, responses={200: OpenApiResponse(description="{opening}, null if there was none")}
    )
    @action(detail=True, methods=["get", "delete"])
    def opening(self, request: Request, pk: UUID) -> Response:
        """The state of the latest opening of a large campaign. DELETE cancels it: the campaign stays a draft."""
        campaign = self._campaign(pk)
        if request.method == "DELETE":
            openings.cancel(campaign=campaign, user=signed_in(request))
        last = campaign.openings.first()
        return Response({"opening": serializers.opening(last) if last else None})

    @extend_schema(request=None, responses={200: serializers.CampaignDetailSerializer})
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: UUID) -> Response:
        campaigns.pause(campaign=self._campaign(pk), user=signed_in(request))
        return self._answer(pk)

    @extend_schema(request=None, responses={200: serializers.CampaignDetailSerializer})
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: UUID) -> Response:
        campaigns.resume(campaign=self._campaign(pk), user=signed_in(request))
        return self._answer(pk)

    @extend_schema(request=serializers.AmendSerializer, responses={200: serializers.CampaignDetailSerializer})
    @action(detail=True, methods=["post"])
    def amend(self, request: Request, pk: UUID) -> Response:
        values = parse(serializers.AmendSerializer, request)
        amendments.amend(campaign=self._campaign(pk), user=signed_in(request), **values)
        return self._answer(pk)

    @extend_schema(request=serializers.CloseSerializer, responses={200: serializers.CampaignDetailSerializer})
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: UUID) -> Response:
        reason = parse(serializers.CloseSerializer, request)["reason"]
        campaigns.close(campaign=self._campaign(pk), user=signed_in(request), reason=reason)
        return self._answer(pk)

    @extend_schema(request=None, responses={201: serializers.CampaignDetailSerializer})
    @action(detail=True, methods=["post"])
    def extend(self, request: Request, pk: UUID) -> Response:
        """Draft the next planned stage of an analysed campaign whose result is open, with other prompts. Repeating the
        request returns the same draft."""
        return self._follow(request, pk, CampaignAction.EXTEND)

    @extend_schema(request=None, responses={201: serializers.CampaignDetailSerializer})
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: UUID) -> Response:
        """Draft a campaign that confirms an analysed one whose result is open and whose plan has no stage left.
        Repeating the request returns the same draft."""
        return self._follow(request, pk, CampaignAction.CONFIRM)

    def _follow(self, request: Request, pk: UUID, what: CampaignAction) -> Response:
        created = follow_ups.draft(campaign=self._campaign(pk), user=signed_in(request), action=what)
        return Response(serializers.CampaignDetailSerializer(created).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        request=None, responses={200: OpenApiResponse(description="How far it is, without results")}
    )
    @action(detail=True, methods=["get"])
    def progress(self, request: Request, pk: UUID) -> Response:
        return Response(campaign_progress(self._campaign(pk)))

    @extend_schema(
        request=serializers.InviteSerializer, responses={201: OpenApiResponse(description="[links]")}
    )
    @action(detail=True, methods=["post"])
    def invites(self, request: Request, pk: UUID) -> Response:
        values, campaign, user = (
            parse(serializers.InviteSerializer, request),
            self._campaign(pk),
            signed_in(request),
        )
        addresses = values.pop("addresses", None)
        if addresses is None:
            created = [invitations.add_link(campaign=campaign, user=user, **values)]
        else:
            created = invitations.invite_people(
                campaign=campaign, user=user, addresses=addresses, days=values["days"]
            )
        links = [
            {"code": one.code, "url": crowd.link(one, request.build_absolute_uri("/")), "email": one.email}
            for one in created
        ]
        return Response({"invites": links}, status=status.HTTP_201_CREATED)

    @extend_schema(
        request=None, responses={200: OpenApiResponse(description="A page of reviewers with flags")}
    )
    @action(detail=True, methods=["get"])
    def reviewers(self, request: Request, pk: UUID) -> Response:
        campaign = self._campaign(pk)
        page = self.paginate_queryset(reviewers.table(campaign)) or []
        flags = reviewers.quality(campaign)
        return self.get_paginated_response([serializers.reviewer_row(one, flags.get(one.pk)) for one in page])

    @extend_schema(request=None, responses={200: OpenApiResponse(description="One row for each participant")})
    @action(detail=True, methods=["get"])
    def reconciliation(self, request: Request, pk: UUID) -> Response:
        return Response({"results": list(pay.reconciliation(self._campaign(pk)))})

    @extend_schema(request=serializers.PaySerializer, responses=_DONE)
    @action(detail=True, methods=["post"])
    def pay(self, request: Request, pk: UUID) -> Response:
        values = parse(serializers.PaySerializer, request)
        reviewer = reviewers.reviewer(campaign=self._campaign(pk), number=values.pop("reviewer"))
        pay.set_pay(reviewer=reviewer, user=signed_in(request), **values)
        return Response({"reviewer": reviewer.number, "pay": reviewer.pay})

    @extend_schema(request=serializers.ReturnedSerializer, responses=_DONE)
    @action(detail=True, methods=["post"])
    def returned(self, request: Request, pk: UUID) -> Response:
        """Participants that a platform reports as returned or timed out. Their places become free again."""
        values = parse(serializers.ReturnedSerializer, request)
        return Response(crowd.mark_returned(campaign=self._campaign(pk), user=signed_in(request), **values))

    @extend_schema(request=serializers.EraseSerializer, responses=_DONE)
    @action(detail=True, methods=["post"])
    def erase(self, request: Request, pk: UUID) -> Response:
        number = parse(serializers.EraseSerializer, request)["reviewer"]
        reviewer = reviewers.reviewer(campaign=self._campaign(pk), number=number)
        erased = erasure.erase(reviewer=reviewer, user=signed_in(request))
        return Response({"reviewer": erased.number, "erased_at": erased.erased_at})

    @extend_schema(
        request=serializers.PlanSerializer, responses={200: OpenApiResponse(description="Power and cost")}
    )
    @action(detail=False, methods=["post"])
    def plan(self, request: Request) -> Response:
        """What a campaign of this size can detect, and the size needed to detect a given difference. Stores nothing."""
        values = parse(serializers.PlanSerializer, request)
        variation = planning.PANELS[values.pop("panel")]
        question = planning.Question(**values, variation=variation)
        answer = planning.answer(question)
        return Response(answer | {"sentences": planning.sentences(question, answer)})


class RubricViewSet(EvaluationViewSet):
    """Versions of the library. Saving another text under a name creates its next version."""

    queryset = RubricVersion.objects.none()  # for the schema only; see get_queryset
    serializer_class = serializers.RubricVersionSerializer
    lookup_value_converter = "int"
    filterset_fields = ("rubric",)

    def get_queryset(self) -> QuerySet[RubricVersion]:
        return library.versions(user=signed_in(self.request))

    @extend_schema(
        request=serializers.RubricSaveSerializer, responses={201: serializers.RubricVersionSerializer}
    )
    def create(self, request: Request) -> Response:
        values = parse(serializers.RubricSaveSerializer, request)
        saved = rubric_library.save(user=signed_in(request), **values)
        return Response(serializers.RubricVersionSerializer(saved).data, status=status.HTTP_201_CREATED)
