"""A lost race begins anew in a new transaction, and not for ever."""

import pytest
from django.db import IntegrityError

from evaluation.models import Assignment, Reviewer
from evaluation.review import statements
from evaluation.review.services import assignments
from evaluation.review.services.assignments import LostRace, retrying
from ftplatform.errors import DomainError
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("lost", [LostRace, IntegrityError])
def test_an_attempt_that_lost_is_rolled_back_and_repeated(lost):
    reviewer = factories.reviewer(factories.campaign(factories.user("manager")))
    attempts = []

    def work():
        attempts.append(Reviewer.objects.get().pay_note)
        Reviewer.objects.update(pay_note=f"attempt {len(attempts)}")
        if len(attempts) < 3:
            raise lost
        return "done"

    assert retrying(work) == "done"
    assert attempts == ["", "", ""], "each began with what the one before had not changed"
    reviewer.refresh_from_db()
    assert reviewer.pay_note == "attempt 3"


def test_a_broken_rule_is_not_tried_again():
    attempts = []

    def work():
        attempts.append(1)
        raise DomainError("campaign_closed", "Closed.")

    with pytest.raises(DomainError):
        retrying(work)
    assert len(attempts) == 1


def test_a_race_that_is_never_won_ends_with_its_error(monkeypatch):
    monkeypatch.setattr(assignments, "ATTEMPTS", 5)
    reviewer, attempts = factories.reviewer(factories.campaign(factories.user("manager"))), []
    monkeypatch.setattr(statements, "take_slot", lambda *item: attempts.append(item))
    with pytest.raises(LostRace):
        assignments.next_for(reviewer=reviewer)
    assert len(attempts) == 5 and not Assignment.objects.exists()
