"""Access rules: every read of this app's objects starts here, so that access is decided in one place."""

from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import Http404

from evaluation.models import Campaign, Comparison, PromptSet, Report
from ftplatform.accounts.models import User
from ftplatform.accounts.permissions import Staff, has_role
from ftplatform.errors import DomainError

M = TypeVar("M", bound=Model)


def visible(queryset: QuerySet[M], user: User) -> QuerySet[M]:
    return queryset if has_role(user, Staff) else queryset.none()


def get_or_404(queryset: QuerySet[M], **identity: Any) -> M:
    instance = queryset.filter(**identity).first()
    if instance is None:
        raise Http404
    return instance


def prompt_sets(*, user: User) -> QuerySet[PromptSet]:
    return visible(PromptSet.objects.select_related("dataset", "created_by"), user)


def prompt_set(*, user: User, pk: UUID) -> PromptSet:
    return get_or_404(prompt_sets(user=user), pk=pk)


def comparisons(*, user: User) -> QuerySet[Comparison]:
    related = ("prompt_set__dataset", "baseline", "created_by")
    runs = Comparison.objects.select_related(*related).prefetch_related("comparison_candidates__model")
    return visible(runs, user)


def comparison(*, user: User, pk: UUID) -> Comparison:
    return get_or_404(comparisons(user=user), pk=pk)


def campaigns(*, user: User) -> QuerySet[Campaign]:
    return visible(Campaign.objects.select_related("comparison__baseline", "candidate", "created_by"), user)


def campaign(*, user: User, pk: UUID) -> Campaign:
    return get_or_404(campaigns(user=user), pk=pk)


def require_not_reviewing(*, campaign: Campaign, user: User) -> None:
    """Raise DomainError `reviewing_closed_report` (403) if this user still reviews pairs of this comparison.

    Until that campaign ends, such a reviewer must not see its results, nor learn from another campaign over the same
    comparison which model wrote a response.
    """
    require_not_reviewing_run(campaign.comparison_id, user)


def require_not_reviewing_run(comparison: UUID, user: User) -> None:
    if campaigns_under_review(user).filter(comparison=comparison).exists():
        raise DomainError(
            "reviewing_closed_report",
            "You are reviewing these pairs, so they and their results stay closed to you until that review has ended.",
            status=403,
        )


def reports(*, user: User, campaign: Campaign) -> QuerySet[Report]:
    require_not_reviewing(campaign=campaign, user=user)
    return visible(campaign.reports.select_related("created_by"), user)


def shown_reports(*, user: User, campaign: Campaign) -> QuerySet[Report] | None:
    """The campaign's reports in the order of the planned analyses; None while they are closed to a user who reviews."""
    try:
        return reports(user=user, campaign=campaign).order_by("look")
    except DomainError:
        return None


def campaigns_under_review(user: User) -> QuerySet[Campaign]:
    """Campaigns that this user reviews and that have not ended."""
    return Campaign.objects.filter(reviewers__user=user).exclude(status__in=Campaign.OVER)
