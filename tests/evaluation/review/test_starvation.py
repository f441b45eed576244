"""No pair is left behind, whoever walks away."""

from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from evaluation.models import Assignment, Rating
from evaluation.review.services import assignments, ratings
from tests import factories


@pytest.mark.django_db
def test_no_pair_starves_though_every_third_reviewer_vanishes():
    """Forty people come one after the other; a third of them leave with a pair in hand. Every pair is filled."""
    campaign = factories.campaign(factories.user("manager"), 8, 3, max_per_reviewer=4)
    for number in range(40):
        reviewer = factories.reviewer(campaign)
        for turn in range(3):
            current = assignments.next_for(reviewer=reviewer)
            if current is None or (number % 3 == 0 and turn == 1):
                break
            ratings.submit(reviewer=reviewer, token=current.token, answer=factories.answer(campaign))
        if number % 5 == 4:
            Assignment.objects.filter(status="leased").update(
                lease_expires_at=timezone.now() - timedelta(seconds=1)
            )
    shown = Counter(Rating.objects.filter(kind="real").values_list("assignment__item", flat=True))
    assert set(shown.values()) == {3} and len(shown) == 8
