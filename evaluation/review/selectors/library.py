"""Reads the rubric library."""

from django.db.models import Count, Max, QuerySet
from django.http import Http404

from evaluation.models import Rubric, RubricVersion
from ftplatform.accounts.models import User
from ftplatform.accounts.permissions import Staff, has_role


def rubrics(*, user: User) -> QuerySet[Rubric]:
    """Rubrics with the number of their versions, and the key and time of the newest."""
    rows = Rubric.objects.annotate(
        number=Count("versions"), newest=Max("versions__pk"), saved_at=Max("versions__created_at")
    ).order_by("name")
    return rows if has_role(user, Staff) else rows.none()


def versions(*, user: User) -> QuerySet[RubricVersion]:
    rows = RubricVersion.objects.select_related("rubric", "created_by").order_by("rubric__name", "-number")
    return rows if has_role(user, Staff) else rows.none()


def version(*, user: User, pk: int) -> RubricVersion:
    instance = versions(user=user).filter(pk=pk).first()
    if instance is None:
        raise Http404
    return instance
