"""Campaigns with their counts. Nothing here depends on reviewers' answers."""

from typing import Any

from django.db.models import Count, Q, QuerySet

from evaluation.access import campaigns
from evaluation.models import (
    Assignment,
    Campaign,
    Rating,
)
from ftplatform.accounts.models import User


def campaigns_rated(*, user: User) -> QuerySet[Campaign]:
    """Campaigns with the number of their ratings."""
    return (
        campaigns(user=user)
        .annotate(rated=Count("ratings", filter=Q(ratings__kind="real")))
        .order_by("-created_at")
    )


def campaign_progress(campaign: Campaign) -> dict[str, Any]:
    """The progress of the review. Nothing here depends on reviewers' answers."""
    rated = Rating.objects.filter(campaign=campaign, kind="real").count()
    reviewers = campaign.reviewers.aggregate(
        all=Count("pk"), simulated=Count("pk", filter=Q(is_simulated=True))
    )
    return {
        "rated": rated,
        "planned": campaign.ratings_planned,
        "leased": Assignment.objects.filter(item__campaign=campaign, status=Assignment.Status.LEASED).count(),
        "reviewers": reviewers["all"],
        "simulated": reviewers["simulated"],
    }
