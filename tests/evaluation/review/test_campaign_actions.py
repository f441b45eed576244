"""Which actions a campaign's state allows: the rule itself, and that pages, API and services follow it."""

import pytest
from django.urls import reverse

from evaluation.models import Campaign, CampaignAction, Opening, allowed_actions
from evaluation.review.services import amendments, campaigns, identity_scan, invitations, openings
from ftplatform.errors import DomainError
from ftplatform.jobs.models import Job
from tests import factories

DRAFT = {"edit", "choose_practice", "check_words", "open"}
STATES = {  # (status, a job is opening it): actions, without an analysis due
    ("draft", False): DRAFT,
    ("draft", True): {"cancel_opening"},
    ("open", False): {"pause", "amend", "invite", "close"},
    ("paused", False): {"resume", "amend", "invite", "close"},
    ("closed", False): set(),
    ("analysed", False): set(),
}
# What each action's button or form posts to; a draft's settings and words have pages of their own.
ADDRESSES = {
    "edit": "campaign_edit",
    "open": "campaign_open",
    "cancel_opening": "campaign_open_cancel",
    "pause": "campaign_pause",
    "resume": "campaign_resume",
    "amend": "campaign_amend",
    "close": "campaign_close",
    "analyse": "take_look",
    "extend": "campaign_extend",
    "confirm": "campaign_confirm",
}


@pytest.mark.parametrize(("state", "expected"), STATES.items())
def test_the_rule(state, expected):
    status, opening = state
    assert allowed_actions(status, opening=opening) == expected
    due = allowed_actions(status, opening=opening, analysis_due=True)
    assert due == expected | ({"analyse"} if status in ("open", "paused", "closed") else set())
    for extensible, follow in ((True, "extend"), (False, "confirm")):
        open_result = allowed_actions(status, opening=opening, open_result=True, extensible=extensible)
        assert open_result == expected | ({follow} if status == "analysed" else set())


def test_the_rule_knows_every_state_and_every_action():
    assert {status for status, _ in STATES} == set(Campaign.Status.values)
    assert set().union(*STATES.values()) | {"analyse", "extend", "confirm"} == set(CampaignAction)


def _campaign(owner, status, opening):
    """One in this state, without any rating."""
    if status == "draft":
        run = factories.comparison(owner, 4)
        made = campaigns.create(
            user=owner, title="Draft", comparison=run, rubric_text=factories.RUBRIC, overlap=1, pairs=3
        )
        if opening:
            Opening.objects.create(kind=Job.Kind.OPENING, queue="cpu", campaign=made, created_by=owner)
        return made
    made = factories.campaign(owner, pairs=3, overlap=1)
    Campaign.objects.update(status=status)
    made.refresh_from_db()
    return made


def _attempt(act):
    try:
        act()
    except DomainError as error:
        return error.code
    return ""


@pytest.mark.django_db
@pytest.mark.parametrize("state", STATES)
def test_pages_and_api_offer_what_the_rule_allows(client, state):
    owner = factories.user()
    client.force_login(owner)
    campaign = _campaign(owner, *state)
    allowed = client.get(f"/api/v1/campaigns/{campaign.pk}/").json()["allowed_actions"]
    assert set(allowed) - {"analyse"} == STATES[state]
    shown = client.get(reverse("evaluation:campaign", args=[campaign.pk])).content.decode()
    offered = {
        action
        for action, name in ADDRESSES.items()
        if f'"{reverse(f"evaluation:{name}", args=[campaign.pk])}"' in shown
    }
    assert offered == set(allowed) & set(ADDRESSES)
    assert ("Choose practice pairs" in shown) == ("choose_practice" in allowed)
    practice = client.get(reverse("evaluation:practice", args=[campaign.pk])).content.decode()
    assert ('method="post"' in practice.partition("<main")[2]) == ("choose_practice" in allowed)
    people = client.get(reverse("evaluation:people", args=[campaign.pk])).content.decode()
    assert (reverse("evaluation:add_link", args=[campaign.pk]) in people) == ("invite" in allowed)
    words = client.get(reverse("evaluation:blinding", args=[campaign.pk])).content.decode()
    assert (reverse("evaluation:blinding_scan", args=[campaign.pk]) in words) == ("check_words" in allowed)


@pytest.mark.django_db
@pytest.mark.parametrize("state", STATES)
def test_services_refuse_what_the_rule_does_not_allow(state):
    owner = factories.user()
    campaign = _campaign(owner, *state)
    held = {"campaign": campaign, "user": owner}
    tried = {
        "edit": lambda: campaigns.update_draft(**held, title="Another"),
        "check_words": lambda: identity_scan.decide(**held, decision="accepted", reason="So."),
        "amend": lambda: amendments.amend(**held, reason="Slow.", lease_minutes=60),
        "invite": lambda: invitations.add_link(**held),
    }
    refused = {action for action, act in tried.items() if _attempt(act)}
    assert refused == set(tried) - STATES[state]
    replaced = _attempt(lambda: campaigns.replace_invite(**held))
    assert (not replaced) == ("invite" in STATES[state])


@pytest.mark.django_db
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    ("action", "leads_to"), [("pause", "paused"), ("resume", "open"), ("close", "closed")]
)
def test_a_transition_is_made_or_refused_and_repeating_it_changes_nothing(state, action, leads_to):
    owner = factories.user()
    campaign = _campaign(owner, *state)
    extra = {"reason": "Enough."} if action == "close" else {}
    code = _attempt(lambda: getattr(campaigns, action)(campaign=campaign, user=owner, **extra))
    there = campaign.status == leads_to or (action == "close" and campaign.is_over)
    before = campaign.status
    campaign.refresh_from_db()
    if action in STATES[state]:
        assert (code, campaign.status) == ("", leads_to)
    else:
        assert (code, campaign.status) == ("" if there else "wrong_status", before)


@pytest.mark.django_db
def test_cancelling_an_opening_leaves_a_draft_that_can_be_edited():
    owner = factories.user()
    campaign = _campaign(owner, "draft", True)
    openings.cancel(campaign=campaign, user=owner)
    assert campaign.actions() == DRAFT
