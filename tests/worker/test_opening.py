"""A campaign too large for a page to wait for is opened by a worker, frozen from the click on."""

import pytest
from django.urls import reverse

from evaluation.models import Opening, Response
from evaluation.review import protocol
from evaluation.review.services import campaigns, identity_scan, lottery, openings
from ftplatform import queues
from ftplatform.accounts.services import issue_token
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from tests import factories
from worker import opening, tasks
from worker.progress import Progress

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def everything_is_large(settings):
    settings.OPENING_WAIT_PAIRS = 0


@pytest.fixture
def owner(client):
    user = factories.user("manager")
    client.force_login(user)
    return user


@pytest.fixture
def draft(owner):
    run = factories.comparison(owner, 6)
    return campaigns.create(
        user=owner, title="Large", comparison=run, rubric_text=factories.RUBRIC, overlap=2, pairs=4
    )


def status_of(campaign):
    campaign.refresh_from_db()
    return campaign.status, campaign.items.count(), campaign.invites.count(), campaign.plan_hash != ""


DRAFT = ("draft", 0, 0, False)
OPEN = ("open", 4, 1, True)


def address(name, campaign):
    """What the action's form posts to."""
    return f'action="{reverse(f"evaluation:{name}", args=[campaign.pk])}"'


def claimed():
    claim = jobs.claim_next(queue=queues.CPU, worker="test")
    assert claim is not None
    return claim


def test_a_click_queues_it_and_a_second_click_changes_nothing(client, draft):
    page = reverse("evaluation:campaign", args=[draft.pk])
    for _ in range(2):
        assert client.post(reverse("evaluation:campaign_open", args=[draft.pk])).url == page
    assert Opening.objects.count() == 1 and status_of(draft) == DRAFT
    shown = client.get(page).content.decode()
    assert address("campaign_open_cancel", draft) in shown and address("campaign_open", draft) not in shown
    assert "Large" in client.get(reverse("evaluation:overview")).content.decode()
    tasks.run_next(queues.CPU)
    assert status_of(draft) == OPEN
    assert draft.protocol_hash == protocol.hash_of(draft)
    assert client.post(reverse("evaluation:campaign_open", args=[draft.pk])).url == page
    assert Opening.objects.count() == 1 and status_of(draft) == OPEN


def test_the_page_tells_how_far_it_is_and_comes_again_when_it_has_ended(client, draft, owner):
    openings.start(campaign=draft, user=owner)
    page = reverse("evaluation:campaign", args=[draft.pk])
    asked = Job.objects.filter(kind=Job.Kind.OPENING)
    working = {"stage": "Searching the responses", "step": 250, "total_steps": 1000, "seconds_left": 30.0}
    asked.update(status=Job.Status.RUNNING, **working)
    part = client.get(page, headers=HTMX).content.decode()
    assert part.strip().startswith('<div id="live"') and "Searching the responses" in part
    assert " left" in part and "·" not in part
    assert "<h1>" in client.get(page).content.decode()
    asked.update(status=Job.Status.QUEUED)
    tasks.run_next(queues.CPU)
    assert client.get(page, headers=HTMX)["HX-Refresh"] == "true"


def test_nothing_about_it_can_change_from_the_click_on(client, draft, owner):
    draft.identity_hits.create(pair=lottery.available(draft).earliest("pk"), words=["qwen"])
    openings.start(campaign=draft, user=owner)
    with pytest.raises(DomainError, match="frozen"):
        campaigns.update_draft(campaign=draft, user=owner, overlap=3)
    with pytest.raises(DomainError, match="opening"):
        identity_scan.decide(campaign=draft, user=owner, decision="quarantined")
    openings.cancel(campaign=draft, user=owner)
    assert campaigns.update_draft(campaign=draft, user=owner, overlap=3).overlap == 3


def test_telling_words_stop_it_and_the_page_leads_to_them(client, draft, owner):
    Response.objects.filter(pk=lottery.available(draft).earliest("pk").candidate_response_id).update(
        text="I am Qwen."
    )
    openings.start(campaign=draft, user=owner)
    tasks.run_next(queues.CPU)
    assert Opening.objects.get().error_code == "identity_words" and status_of(draft) == DRAFT
    words = reverse("evaluation:blinding", args=[draft.pk])
    shown = client.get(reverse("evaluation:campaign", args=[draft.pk])).content.decode()
    assert f'class="button" href="{words}"' in shown and address("campaign_open", draft) in shown
    identity_scan.decide(campaign=draft, user=owner, decision="quarantined")
    client.post(reverse("evaluation:campaign_open", args=[draft.pk]))
    tasks.run_next(queues.CPU)
    assert status_of(draft) == OPEN


@pytest.mark.parametrize("when", ["waiting", "searching", "searched"])
def test_a_stopped_opening_leaves_the_draft_as_it_was(client, draft, owner, monkeypatch, when):
    openings.start(campaign=draft, user=owner)
    stop = reverse("evaluation:campaign_open_cancel", args=[draft.pk])
    if when == "waiting":
        client.post(stop)
    name = "_suspects" if when == "searching" else "require_decided"
    real = getattr(identity_scan, name)

    def meanwhile(*args, **options):
        found = real(*args, **options)
        client.post(stop)
        return found

    monkeypatch.setattr(identity_scan, name, meanwhile)
    tasks.run_next(queues.CPU)
    assert Opening.objects.get().status == "cancelled" and status_of(draft) == DRAFT
    shown = client.get(reverse("evaluation:campaign", args=[draft.pk])).content.decode()
    assert "The opening was cancelled" in shown and address("campaign_open", draft) in shown


def test_a_killed_worker_costs_nothing_and_the_next_one_opens_it(draft, owner, settings, monkeypatch):
    openings.start(campaign=draft, user=owner)
    first = claimed()

    def killed(campaign):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(lottery, "draw", killed)
        with pytest.raises(SystemExit):
            opening.open_campaign(first)
    assert status_of(draft) == DRAFT
    Job.objects.update(lease_expires_at="2020-01-01T00:00:00Z")
    jobs.recover()
    tasks.run_next(queues.CPU)
    assert status_of(draft) == OPEN and Opening.objects.get().attempt == 2


def test_an_attempt_that_lost_its_job_opens_nothing(draft, owner):
    openings.start(campaign=draft, user=owner)
    stale = claimed()
    Job.objects.update(attempt=2)
    with pytest.raises(jobs.StaleAttempt):
        openings.run(stale, Progress(stale))
    assert status_of(draft) == DRAFT


def test_without_the_question_inside_the_transaction_a_stale_attempt_would_open_it(draft, owner):
    """The negative control."""
    openings.start(campaign=draft, user=owner)
    stale = claimed()
    Job.objects.update(attempt=2)
    openings.run(stale, lambda stage, part: None)
    assert status_of(draft) == OPEN


def test_the_api_answers_202_until_it_is_open(client, draft, owner):
    _, key = issue_token(user=owner, name="t", scopes=["read", "evaluate"], days=1)
    client.logout()
    api, headers = f"/api/v1/campaigns/{draft.pk}", {"Authorization": f"Bearer {key}"}
    for _ in range(2):
        answer = client.post(f"{api}/open/", headers=headers)
        assert (answer.status_code, answer.json()["opening"]["status"]) == (202, "queued")
    stopped = client.delete(f"{api}/opening/", headers=headers)
    assert stopped.json()["opening"]["status"] == "cancelled"
    assert client.post(f"{api}/open/", headers=headers).status_code == 202
    tasks.run_next(queues.CPU)
    assert client.get(f"{api}/opening/", headers=headers).json()["opening"]["status"] == "succeeded"
    opened = client.post(f"{api}/open/", headers=headers)
    assert opened.status_code == 200 and "/r/" in opened.json()["invite_url"]


def test_a_small_one_is_open_when_its_page_answers(client, draft, settings):
    settings.OPENING_WAIT_PAIRS = 6
    client.post(reverse("evaluation:campaign_open", args=[draft.pk]))
    assert status_of(draft) == OPEN and not Opening.objects.exists()
