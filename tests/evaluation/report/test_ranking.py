"""More than two models: what campaigns that share models say together."""

import pytest
from django.urls import reverse

from evaluation.models import Campaign
from evaluation.report.selectors.ranking import ranking
from evaluation.review.services import campaigns, ratings
from ftplatform.accounts.services import issue_token
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager():
    return factories.user("manager")


def _rated(owner, run, candidate, better):
    """A campaign in which `better(pair, reviewer)` says who is preferred; closed afterwards."""
    made = factories.campaign(owner, pairs=6, overlap=3, comparison=run, candidate=candidate)
    for number in range(3):
        reviewer = factories.reviewer(made)
        for pair in range(6):
            held = factories.lease(reviewer)
            outcome = better(pair, number)
            left = outcome == (1 if held.candidate_left else -1)
            preference = "tie" if not outcome else "left" if left else "right"
            answer = factories.answer(made, preference=preference)
            ratings.submit(token=held.token, reviewer=reviewer, answer=answer)
    return made


def _mostly_wins(pair, reviewer):
    return (1, 1, 0, 1, -1, 1)[(pair + reviewer) % 6]


def _mostly_loses(pair, reviewer):
    return -_mostly_wins(pair, reviewer)


def _close(made, owner):
    campaigns.close(campaign=made, user=owner, reason="enough")


@pytest.fixture
def ranked(manager):
    run = factories.comparison(manager, 6, candidates=2)
    first, second = run.model_versions[1:]
    for candidate, better in ((first, _mostly_wins), (second, _mostly_loses)):
        _close(_rated(manager, run, candidate, better), manager)
    return run


def test_models_of_several_campaigns_are_ranked_through_the_one_they_share(ranked, manager):
    (group,) = ranking(user=manager)["groups"]
    base, first, second = ranked.model_versions
    assert [one["name"] for one in group["models"]] == [first.name, base.name, second.name]
    assert group["n_ratings"] == 36
    assert sum(one["strength"] for one in group["models"]) == pytest.approx(0)
    assert all(one["best_rank"] <= place <= one["worst_rank"] for place, one in enumerate(group["models"], 1))
    assert group["same_order_by_rao_kupper"]


def test_reviewers_whom_a_frozen_rule_excludes_are_not_ranked_either(manager):
    run = factories.comparison(manager, 12)
    made = factories.campaign(manager, pairs=12, overlap=3, comparison=run, exclude_flags=["too_fast"])
    factories.rate(made, 2)
    factories.rate(made, 1, seed=9, active_ms=1)
    _close(made, manager)
    found = ranking(user=manager)
    assert made.ratings.filter(kind="real").count() == 36
    assert [one["ratings"] for one in found["campaigns"]] == [24]
    assert [one["n_ratings"] for one in found["groups"]] == [24]


def test_an_open_review_shows_nothing(ranked, manager):
    before = ranking(user=manager)
    _rated(manager, ranked, ranked.model_versions[1], _mostly_loses)
    assert ranking(user=manager) == before


def test_groups_that_no_campaign_connects_are_named_apart(ranked, manager):
    other = factories.comparison(manager, 6)
    _close(_rated(manager, other, other.model_versions[1], lambda pair, reviewer: 1), manager)
    large, small = ranking(user=manager)["groups"]
    assert len(large["models"]) == 3
    assert set(small["names"]) == {model.name for model in other.model_versions}
    assert small["models"] == [] and len(small["undefeated"]) == 2


def test_page_and_api_show_the_same(ranked, manager, client):
    client.force_login(manager)
    page = client.get(reverse("evaluation:ranking"))
    name = ranked.model_versions[1].name
    assert page.status_code == 200 and name in page.content.decode() and "<svg" in page.content.decode()
    client.logout()
    _, key = issue_token(user=manager, name="t", scopes=["read"], days=1)
    found = client.get("/api/v1/ranking/", headers={"Authorization": f"Bearer {key}"})
    assert found.json() == ranking(user=manager)


def test_nothing_to_rank_says_what_to_do(manager, client):
    client.force_login(manager)
    assert "Nothing to rank yet" in client.get(reverse("evaluation:ranking")).content.decode()
    assert ranking(user=factories.user("reviewer"))["groups"] == []


def test_a_pilot_does_not_count(ranked, manager):
    Campaign.objects.update(is_pilot=True)
    assert ranking(user=manager)["groups"] == []
