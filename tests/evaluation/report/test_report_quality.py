"""The report names whose work was flagged by pseudonym, and leaves them out where the plan says so."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evaluation.report.services import reports
from evaluation.review.selectors import reviewers
from evaluation.review.services import assignments, campaigns, ratings
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("exclude", [(), ("too_fast",)])
def test_a_hasty_reviewer_is_flagged_under_the_own_pseudonym(exclude):
    manager = factories.user("manager")
    made = factories.campaign(manager, pairs=16, overlap=2, exclude_flags=list(exclude))
    careful, hasty = factories.reviewer(made), factories.reviewer(made)
    for reviewer, active_ms in ((careful, 60_000), (hasty, 1)):
        while held := assignments.next_for(reviewer=reviewer):
            answer = factories.answer(made, active_ms=active_ms)
            ratings.submit(token=held.token, reviewer=reviewer, answer=answer)
    campaigns.close(campaign=made, user=manager, reason="enough")
    made.refresh_from_db()
    found = reports.take_look(campaign=made, user=manager).result
    flagged = {
        one["reviewer"]: [flag["code"] for flag in one["flags"]] for one in found["quality"]["flagged"]
    }
    assert "too_fast" in flagged.get(f"r{hasty.number}", []), found["quality"]
    assert "too_fast" not in flagged.get(f"r{careful.number}", [])
    raters = [one["reviewer"] for one in found["reviewers"]["each"]]
    assert raters == ([f"r{careful.number}"] if exclude else [f"r{careful.number}", f"r{hasty.number}"])


def test_flags_read_the_texts_of_rated_pairs_only():
    made = factories.campaign(factories.user("manager"), pairs=3, overlap=1)
    reviewer = factories.reviewer(made)

    def readings() -> int:
        with CaptureQueriesContext(connection) as seen:
            reviewers.quality(made)
        return sum("baseline" in one["sql"] and '"text"' in one["sql"] for one in seen)

    assert readings() == 0
    held = factories.lease(reviewer)
    ratings.submit(token=held.token, reviewer=reviewer, answer=factories.answer(made))
    assert readings() == 1
