"""No page shows the results of an open campaign without an entry in the log."""

import pytest

from evaluation.report.services import reports
from evaluation.review.selectors import reviewing
from evaluation.review.services import campaigns, ratings
from tests import factories

pytestmark = pytest.mark.django_db
WORD = "Inconclusive"


@pytest.fixture
def campaign():
    """An open campaign after one interim analysis."""
    made = factories.campaign(factories.user(), pairs=2, overlap=1, looks=(0.5, 1.0))
    reviewer = factories.reviewer(made)
    current = factories.lease(reviewer)
    ratings.submit(reviewer=reviewer, token=current.token, answer=factories.answer(made))
    reports.take_look(campaign=made, user=made.created_by)
    return made


def showing(client, campaign):
    """Pages that show the verdict, and pages whose view was logged."""
    (report,) = campaign.reports.all()
    one, run = f"/campaigns/{campaign.pk}/", f"/comparisons/{campaign.comparison_id}/"
    pages = ["/overview/", "/campaigns/", "/ranking/", one, run]
    pages += [f"{one}{name}/" for name in ("people", "blinding", "report", "report/1")]
    pages += [f"/api/v1/campaigns/{campaign.pk}/{name}" for name in ("", "report/", "reviewers/")]
    shown, logged = set(), set()
    for page in pages:
        before = reviewing.early_looks(campaign).count()
        answer = client.get(page)
        assert answer.status_code == 200, page
        text = answer.content.decode()
        if report.result["sentence"][:40] in text or f"{WORD}</span>" in text:
            shown.add(page)
        if reviewing.early_looks(campaign).count() > before:
            logged.add(page)
    return shown, logged


def test_no_page_shows_how_an_open_campaign_stands_without_a_trace(client, campaign):
    client.force_login(factories.user("manager"))
    shown, logged = showing(client, campaign)
    one = f"/campaigns/{campaign.pk}/report/"
    assert shown == logged == {one, f"{one}1/", f"/api/v1{one}"}


def test_after_the_close_it_may_be_read_everywhere_and_no_reading_is_logged(client, campaign):
    campaigns.close(campaign=campaign, user=campaign.created_by, reason="done")
    client.force_login(factories.user("manager"))
    shown, logged = showing(client, campaign)
    assert {"/overview/", f"/campaigns/{campaign.pk}/"} < shown and not logged
