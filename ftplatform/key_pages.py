"""Pagination of long lists: rows before the page are skipped by their keys, so their joined rows are never read."""

from collections.abc import Sequence
from typing import Any, cast

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet


class KeyPaginator(Paginator):  # type: ignore[type-arg]
    """A paginator for a queryset of rows (not of values) with `select_related` or a costly order."""

    def page(self, number: int | str) -> "Page[Any]":
        page = super().page(number)
        keys = list(cast(QuerySet[Any], page.object_list).values_list("pk", flat=True))
        chosen = cast(QuerySet[Any], self.object_list).order_by()
        # The keys have already passed the filters, which may be costly to evaluate again.
        chosen.query.clear_where()
        rows = chosen.in_bulk(keys)
        page.object_list = cast(Sequence[Any], [rows[key] for key in keys if key in rows])
        return page
