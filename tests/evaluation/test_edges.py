"""What a hostile or unlucky caller finds: odd texts, late reviewers, looks that overtake the plan."""

import json
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from evaluation.comparison.services import responses
from evaluation.models import Assignment, Rating, ReviewItem
from evaluation.report.services import reports
from evaluation.review.selectors import planned_analyses
from evaluation.review.services import assignments, campaigns, invitations, ratings
from ftplatform.accounts.services import issue_token
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return factories.user()


def expire(lease):
    Assignment.objects.filter(pk=lease.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def rate(reviewer, count=1):
    for _ in range(count):
        current = factories.lease(reviewer)
        ratings.submit(reviewer=reviewer, token=current.token, answer=factories.answer(reviewer.campaign))


# --- jobs through the API ----------------------------------------------------------------------------------


def test_a_run_is_followed_and_cancelled_through_the_api(client, owner):
    run = factories.training_run(owner)
    _, key = issue_token(user=owner, name="t", scopes=["read", "train"], days=1)
    headers = {"Authorization": f"Bearer {key}"}
    path = f"/api/v1/training-runs/{run.pk}/"
    assert client.get(f"{path}metrics/", headers=headers).json() == {"train": [], "validation": []}
    assert client.post(f"{path}cancel/", headers=headers).json()["status"] == "cancelled"


def test_a_restart_takes_jobs_back_without_counting_a_loss(owner, settings):
    settings.JOB_MAX_ATTEMPTS = 1
    run = factories.training_run(owner)
    claim = jobs.claim_next(queue=run.queue, worker="test")
    assert claim is not None
    jobs.heartbeat(claim, step=21, total_steps=169)
    jobs.take_back_all()
    again = jobs.claim_next(queue=run.queue, worker="test")
    assert again is not None and again.attempt == 2
    run.refresh_from_db()
    assert (run.status, run.step, run.losses) == (Job.Status.RUNNING, 0, 0)
    with pytest.raises(jobs.StaleAttempt):
        jobs.heartbeat(claim)


# --- odd texts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ['{"decision": "\\u0000"}', '{"\\u0000": 1}', '{"decision": "\\ud800"}', "\x00", ""]
)
def test_any_text_of_a_model_is_stored_and_shown(client, owner, text):
    run = factories.comparison(owner, prompts=1, finished=False)
    claim = jobs.claim_next(queue=run.queue, worker="test")
    assert claim is not None
    prompt = run.prompt_set.prompts.get()
    for model in run.model_versions:
        responses.record_responses(claim, [factories.response(run, prompt, model, text=text)])
    responses.complete(claim, {})
    jobs.finish(claim, Job.Status.SUCCEEDED)
    client.force_login(owner)
    for address in (
        reverse("evaluation:comparison", args=[run.pk]),
        reverse("evaluation:pair", args=[run.pk, run.pairs.get().pk]),
    ):
        assert client.get(address).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        '{"\\ud800": 1}',
        '{"preference": "\\ud800"}',
        '{"preference": "tie", "scores": {"\\ud800": {}}}',
        '{"comment": "\\u0000"}',
        "[" * 100_000,
        "null",
        "[]",
        '"text"',
        "{",
        '{"preference": "tie", "scores": [], "answers": 3}',
        '{"preference": "tie", "scores": {"empathy": {"left": 1e400}}}',
    ],
)
def test_no_body_brings_the_rating_endpoint_down(client, owner, body):
    campaign = factories.campaign(owner, pairs=1)
    _, token = invitations.join(code=campaign.invites.get().code)
    headers = {"Authorization": f"Reviewer {token}"}
    pair = client.post(f"/api/v1/campaigns/{campaign.pk}/assignments/next", headers=headers).json()
    path = f"/api/v1/assignments/{pair['token']}/rating"
    answer = client.put(path, body, "application/json", headers=headers)
    assert answer.status_code == 400 and answer.json()["code"]
    assert not Rating.objects.exists()


@pytest.mark.parametrize("path", ["/r/a%00b/", "/api/v1/invites/a%00b/accept", "/r/nobody-knows-this/"])
def test_odd_invitations_are_not_found(client, path):
    assert client.get(path).status_code in (404, 405)


# --- late reviewers ----------------------------------------------------------------------------------------


def test_a_late_rating_takes_any_free_slot_on_the_side_it_was_shown(owner):
    campaign = factories.campaign(owner, pairs=1, overlap=4)
    slow, other = factories.reviewer(campaign), factories.reviewer(campaign)
    lease = factories.lease(slow)
    expire(lease)
    assignments.release_expired(campaign.pk)
    taken = factories.lease(other)
    # The other reviewer holds the very slot that the slow one had.
    Assignment.objects.filter(pk=taken.pk).update(slot=lease.slot, candidate_left=lease.candidate_left)
    stored = ratings.submit(reviewer=slow, token=lease.token, answer=factories.answer(campaign))
    assert stored.assignment.slot != lease.slot
    assert lease.item.sides[stored.assignment.slot] == lease.item.sides[lease.slot]
    assert ReviewItem.objects.get().open_slots == 2


def test_a_lease_that_ran_out_does_not_strand_its_pair(owner):
    campaign = factories.campaign(owner, pairs=1, overlap=1)
    only = factories.reviewer(campaign)
    lease = factories.lease(only)
    expire(lease)
    again = factories.lease(only)
    assert (again.pk, again.candidate_left) == (lease.pk, lease.candidate_left)
    rate(only)
    assert ReviewItem.objects.get().open_slots == 0
    assert assignments.next_for(reviewer=only) is None


def test_the_cap_holds_for_late_ratings_too(owner):
    campaign = factories.campaign(owner, pairs=2, overlap=1, max_per_reviewer=1)
    reviewer = factories.reviewer(campaign)
    late = factories.lease(reviewer)
    expire(late)
    rate(reviewer)
    with pytest.raises(DomainError) as caught:
        ratings.submit(reviewer=reviewer, token=late.token, answer=factories.answer(campaign))
    assert caught.value.code == "cap_reached"


def test_a_late_rating_beside_a_pair_in_hand_does_not_exceed_the_cap(owner):
    campaign = factories.campaign(owner, pairs=2, overlap=1, max_per_reviewer=1)
    reviewer = factories.reviewer(campaign)
    late = factories.lease(reviewer)
    expire(late)
    in_hand = factories.lease(reviewer)
    assert in_hand.pk != late.pk
    with pytest.raises(DomainError) as caught:
        ratings.submit(reviewer=reviewer, token=late.token, answer=factories.answer(campaign))
    assert caught.value.code == "cap_reached"
    rate(reviewer)
    assert Rating.objects.count() == 1


def test_the_hourly_cap_says_when_there_is_room_again(client, owner):
    campaign = factories.campaign(owner, pairs=4, overlap=1, max_per_hour=2)
    reviewer, token = invitations.join(code=campaign.invites.get().code)
    rate(reviewer, 2)
    first = Rating.objects.earliest("pk")
    Rating.objects.filter(pk=first.pk).update(submitted_at=timezone.now() - timedelta(minutes=50))
    path, sent = f"/api/v1/campaigns/{campaign.pk}/assignments/next", {"Authorization": f"Reviewer {token}"}
    answer = client.post(path, headers=sent)
    assert answer.status_code == 429 and answer.json()["code"] == "hourly_cap"
    assert 590 <= int(answer["Retry-After"]) <= 600
    assert "in 10 minutes" in answer.json()["detail"]
    Rating.objects.filter(pk=first.pk).update(submitted_at=timezone.now() - timedelta(hours=1))
    assert client.post(path, headers=sent).status_code == 200


# --- looks -------------------------------------------------------------------------------------------------


def test_an_interim_look_that_was_never_taken_gives_way_to_the_final_one(owner):
    campaign = factories.campaign(owner, pairs=2, overlap=1, looks=(0.5, 1.0))
    rate(factories.reviewer(campaign), 2)
    final = reports.take_look(campaign=campaign, user=owner)
    assert final.is_final and final.look == 1
    assert reports.take_look(campaign=campaign, user=owner).pk == final.pk


def test_looks_that_were_overtaken_are_skipped(owner):
    campaign = factories.campaign(owner, pairs=5, overlap=2, looks=(0.2, 0.4, 1.0))
    first, second = factories.reviewer(campaign), factories.reviewer(campaign)
    rate(first, 5)
    interim = reports.take_look(campaign=campaign, user=owner)
    assert (interim.fraction, interim.is_final) == (0.5, False)
    assert planned_analyses.next_look(campaign)["needed"] == 10
    rate(second, 2)
    campaigns.close(campaign=campaign, user=owner, reason="enough")
    campaign.refresh_from_db()
    final = reports.take_look(campaign=campaign, user=owner)
    assert final.is_final and final.result["look"]["number"] == 2


@pytest.mark.parametrize(
    "looks", [(), (0.5,), (1.0, 0.5), (0.5, 0.5, 1.0), tuple(n / 10 for n in range(1, 11))]
)
def test_a_plan_that_makes_none_is_refused_at_once(owner, looks):
    with pytest.raises(DomainError) as caught:
        factories.campaign(owner, pairs=1, looks=looks)
    assert (caught.value.code, caught.value.status) == ("invalid_plan", 400)


def test_a_report_counts_the_ratings_that_people_made(owner):
    campaign = factories.campaign(owner, pairs=2, overlap=2)
    rate(factories.reviewer(campaign), 2)
    rate(factories.reviewer(campaign, is_simulated=True), 2)
    result = reports.take_look(campaign=campaign, user=owner).result
    said = next(caution["message"] for caution in result["cautions"] if caution["code"] == "simulated")
    assert "2 of 4 ratings are simulated" in said
    assert "people and simulated reviewers" in result["sentence"]


# --- who sees what -----------------------------------------------------------------------------------------


def test_a_reviewing_manager_sees_neither_pairs_nor_sides(client, owner):
    manager = factories.user("manager")
    campaign = factories.campaign(owner, pairs=1, overlap=1)
    client.force_login(manager)
    code = campaign.invites.get().code
    assert client.post(f"/api/v1/invites/{code}/accept").status_code == 200
    assert campaign.reviewers.get().user == manager
    for address in (
        reverse("evaluation:comparison", args=[campaign.comparison_id]),
        reverse("evaluation:pair", args=[campaign.comparison_id, campaign.comparison.pairs.get().pk]),
    ):
        assert client.get(address).status_code == 403
    campaigns.close(campaign=campaign, user=owner, reason="done")
    assert (
        client.get(
            reverse("evaluation:pair", args=[campaign.comparison_id, campaign.comparison.pairs.get().pk])
        ).status_code
        == 200
    )


def test_one_browser_may_review_two_campaigns(client, owner):
    first, second = factories.campaign(owner, pairs=1), factories.campaign(owner, pairs=1)
    for campaign in (first, second):
        client.post(reverse("evaluation:invite", args=[campaign.invites.get().code]))
    for campaign in (first, second):
        assert client.get(reverse("evaluation:review", args=[campaign.pk])).status_code == 200
        pair = client.post(f"/api/v1/campaigns/{campaign.pk}/assignments/next").json()
        answer = client.put(
            f"/api/v1/assignments/{pair['token']}/rating",
            json.dumps(factories.answers(campaign)),
            "application/json",
        )
        assert answer.status_code == 200
    # Opening the link again leads back to the same reviewer.
    assert client.get(reverse("evaluation:invite", args=[first.invites.get().code])).status_code == 302
    assert first.reviewers.count() == second.reviewers.count() == 1


def test_one_machine_cannot_drain_an_invitation(client, owner):
    path = f"/api/v1/invites/{factories.campaign(owner, pairs=1).invites.get().code}/accept"
    answers = [client.post(path, headers={"X-Forwarded-For": f"10.0.0.{n}"}) for n in range(61)]
    assert {answer.status_code for answer in answers[:60]} == {200}
    assert (answers[60].status_code, answers[60].json()["code"]) == (429, "throttled")
    assert int(answers[60]["Retry-After"]) > 0


def test_a_leaked_link_is_replaced(client, owner):
    campaign = factories.campaign(owner, pairs=1)
    leaked = campaign.invites.get()
    client.force_login(owner)
    client.post(reverse("evaluation:campaign_replace_invite", args=[campaign.pk]))
    fresh = campaign.invites.latest("id")
    assert client.get(reverse("evaluation:invite", args=[leaked.code])).status_code == 410
    assert client.get(reverse("evaluation:invite", args=[fresh.code])).status_code == 200


def test_a_reason_that_is_too_long_closes_nothing(client, owner):
    campaign = factories.campaign(owner, pairs=1)
    client.force_login(owner)
    assert (
        client.post(
            reverse("evaluation:campaign_close", args=[campaign.pk]), {"reason": "x" * 501}
        ).status_code
        == 400
    )
    campaign.refresh_from_db()
    assert campaign.status == "open"
