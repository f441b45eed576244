"""What pages cost in queries, and that neither more rows nor odd texts change that."""

import re

import pytest
from django.urls import reverse

from evaluation.report.services import reports
from evaluation.review.services import ratings
from ftplatform.jobs.models import Job
from ftplatform.text.numbers import percent
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(client):
    client.force_login(factories.user("manager"))
    return client


LISTS = {
    "training:datasets": lambda owner, n: factories.dataset(owner, name=f"d{n}"),
    "training:models": lambda owner, n: factories.base_model(owner),
    "training:runs": lambda owner, n: factories.training_run(owner),
    "evaluation:prompt_sets": lambda owner, n: factories.prompt_set(owner),
    "evaluation:comparisons": lambda owner, n: factories.comparison(owner, prompts=1, finished=False),
    "evaluation:campaigns": lambda owner, n: factories.campaign(owner, pairs=1, overlap=1),
    "evaluation:overview": lambda owner, n: factories.campaign(owner, pairs=1, overlap=1),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_costs_the_same_with_more_rows(manager, name, django_assert_max_num_queries):
    owner = factories.user()
    LISTS[name](owner, 0)
    with django_assert_max_num_queries(16) as first:
        assert manager.get(reverse(name)).status_code == 200
    for number in range(1, 9):
        LISTS[name](owner, number)
    with django_assert_max_num_queries(len(first)):
        assert manager.get(reverse(name)).status_code == 200


def test_the_review_costs_a_bounded_number_of_queries(client, django_assert_max_num_queries):
    campaign = factories.campaign(factories.user(), pairs=20, overlap=2)
    reviewer = factories.reviewer(campaign)
    with django_assert_max_num_queries(16):
        current = factories.lease(reviewer)
    with django_assert_max_num_queries(10):
        ratings.submit(reviewer=reviewer, token=current.token, answer=factories.answer(campaign))


def test_the_comparison_and_pair_pages_cost_the_same_for_many_pairs(manager, django_assert_max_num_queries):
    run = factories.comparison(factories.user(), prompts=30)
    # Fifteen statements, each once: a long list is read by keys, which takes one more than skipping rows did.
    with django_assert_max_num_queries(15):
        assert manager.get(reverse("evaluation:comparison", args=[run.pk])).status_code == 200
    with django_assert_max_num_queries(12):
        page = manager.get(reverse("evaluation:pair", args=[run.pk, run.pairs.earliest("pk").pk]))
    assert "decision" in page.content.decode()


def test_text_of_models_and_people_is_shown_as_text(manager):
    from evaluation.models import Campaign, Response

    attack = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    campaign = factories.campaign(factories.user(), pairs=2, overlap=1, looks=(0.5, 1.0))
    Response.objects.update(text=attack)
    Campaign.objects.update(title=attack)
    reviewer = factories.reviewer(campaign)
    current = factories.lease(reviewer)
    answer = factories.answer(campaign, comment=attack)
    ratings.submit(reviewer=reviewer, token=current.token, answer=answer)
    reports.take_look(campaign=campaign, user=factories.user())
    run = campaign.comparison
    for address in (
        reverse("evaluation:pair", args=[run.pk, run.pairs.earliest("pk").pk]),
        reverse("evaluation:campaigns"),
        reverse("evaluation:campaign", args=[campaign.pk]),
        reverse("evaluation:report", args=[campaign.pk]),
        reverse("evaluation:overview"),
        reverse("evaluation:invite", args=[campaign.invites.get().code]),
    ):
        page = manager.get(address)
        assert page.status_code == 200
        assert "<script>alert" not in page.content.decode() and "<img src=x" not in page.content.decode()


def test_the_report_and_its_exports_hold_the_same_numbers(manager):
    campaign = factories.campaign(factories.user(), pairs=3, overlap=2)
    for reviewer in (factories.reviewer(campaign), factories.reviewer(campaign, is_simulated=True)):
        for _ in range(3):
            current = factories.lease(reviewer)
            ratings.submit(reviewer=reviewer, token=current.token, answer=factories.answer(campaign))
    stored = reports.take_look(campaign=campaign, user=factories.user()).result
    as_json = manager.get(reverse("evaluation:report_file", args=[campaign.pk, 1, "json"]))
    as_text = manager.get(reverse("evaluation:report_file", args=[campaign.pk, 1, "md"])).content.decode()
    as_page = manager.get(reverse("evaluation:report", args=[campaign.pk])).content.decode()
    assert as_json.json() == stored
    assert stored["sentence"] in as_text
    assert "simulated" in stored["sentence"] and "imulated" in as_page
    score = percent(stored["primary"]["estimate"])
    assert score in as_page and score.replace("\N{NO-BREAK SPACE}", " ") in as_text
    for download in (as_json, manager.get(reverse("evaluation:report_file", args=[campaign.pk, 1, "md"]))):
        assert download["Content-Disposition"].startswith("attachment")
        assert download["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "name", ["evaluation:overview", "training:datasets", "training:runs", "evaluation:campaigns"]
)
def test_an_empty_site_says_what_to_do_next(client, name):
    client.force_login(factories.user())
    page = client.get(reverse(name)).content.decode()
    assert "/new/" in page


def test_work_of_every_kind_is_named_on_the_overview_and_no_link_leads_nowhere(manager):
    owner = factories.user()
    for kind in Job.Kind.values:
        if kind not in ("training", "generation", "opening"):
            Job.objects.create(kind=kind, created_by=owner)
    shown = manager.get(reverse("evaluation:overview")).content.decode()
    assert all(f"<span>{label}</span>" in shown for label in ("Import", "Merge", "Download"))
    for address in re.findall(r'<a id="job-[^"]+" href="([^"]+)"', shown):
        assert manager.get(address).status_code == 200
