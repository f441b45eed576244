"""Shared behaviour of all API lists: bounded page sizes, and filters by declared fields only."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Model, QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request

from ftplatform.api.old_names import with_new_names


class Pagination(PageNumberPagination):
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500


class StrictFilterBackend(DjangoFilterBackend):  # type: ignore[misc]
    """Reject any query parameter that the endpoint does not declare, above all lookups across relations."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Model], view: Any) -> QuerySet[Model]:
        old_names: Mapping[str, str] = getattr(view, "old_filters", {})
        known = {"page", "page_size", "format", *getattr(view, "filterset_fields", ())}
        unknown = sorted(set(request.query_params) - known - set(old_names))
        if unknown:
            named = ", ".join(sorted(known - {"format"}))
            raise ValidationError(dict.fromkeys(unknown, f"Not a filter here; use one of {named}."))
        filtered: QuerySet[Model] = super().filter_queryset(request, queryset, view)
        return filtered

    def get_filterset_kwargs(self, request: Request, queryset: QuerySet[Model], view: Any) -> dict[str, Any]:
        kwargs: dict[str, Any] = super().get_filterset_kwargs(request, queryset, view)
        return kwargs | {"data": with_new_names(kwargs["data"], getattr(view, "old_filters", {}))}
