"""The API as an integrator and a reviewer use it."""

import io
import json
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from evaluation.comparison.services import responses
from evaluation.models import Rating
from evaluation.report.services import reports
from evaluation.review.selectors.reviewing import reviewer_cookie
from ftplatform.accounts.services import issue_token
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return factories.user()


@pytest.fixture
def api(client, owner):
    """A client that sends JSON with an admin's key and gives back (status, body)."""
    _, key = issue_token(user=owner, name="t", scopes=["read", "train", "evaluate"], days=1)

    def call(method, path, body=None, **headers):
        headers["Authorization"] = f"Bearer {key}"
        answer = client.generic(
            method, f"/api/v1/{path}", json.dumps(body or {}), "application/json", headers=headers
        )
        return answer.status_code, answer.json() if answer.content else None

    call.key = key  # type: ignore[attr-defined]
    return call


def as_reviewer(client, token):
    def call(method, path, body=None):
        answer = client.generic(
            method,
            f"/api/v1/{path}",
            json.dumps(body or {}),
            "application/json",
            headers={"Authorization": f"Reviewer {token}"},
        )
        return answer.status_code, answer.json() if answer.content else None

    return call


def test_the_whole_review_through_the_api(client, api, owner):
    run = factories.comparison(owner, prompts=2)
    from evaluation import rubrics

    body = {
        "title": "Replies",
        "run": str(run.pk),
        "rubric_text": rubrics.builtin("customer_support"),
        "overlap": 1,
    }
    status, campaign = api("POST", "campaigns/", body)
    assert status == 201 and campaign["status"] == "draft"
    status, opened = api("POST", f"campaigns/{campaign['id']}/open/")
    assert status == 200
    assert api("POST", f"campaigns/{campaign['id']}/report/")[1]["code"] == "look_not_due"

    accepted = client.post(f"/api/v1/invites/{opened['invite_code']}/accept").json()
    reviewer = as_reviewer(client, accepted["reviewer_token"])
    for done in (1, 2):
        status, pair = reviewer("POST", f"campaigns/{campaign['id']}/assignments/next")
        assert status == 200
        scales = [field for field in pair["rubric"]["fields"] if field["kind"] == "scale"]
        scores = {field["key"]: {"left": 8, "right": 3} for field in scales}
        rating = {"preference": "left", "scores": scores, "answers": {}, "comment": "fine", "active_ms": 900}
        first = reviewer("PUT", f"assignments/{pair['token']}/rating", rating)
        assert first[0] == 200 and first[1]["progress"] == {"done": done, "planned": 2}
        assert reviewer("PUT", f"assignments/{pair['token']}/rating", rating) == first
    assert reviewer("POST", f"campaigns/{campaign['id']}/assignments/next") == (204, None)

    status, report = api("POST", f"campaigns/{campaign['id']}/report/")
    assert status == 200 and report["primary"]["n_ratings"] == 2
    assert api("GET", f"campaigns/{campaign['id']}/report/") == (200, report)


def test_what_a_reviewer_gets_names_no_model_and_nothing_but_the_contract(client, owner):
    campaign = factories.campaign(owner, pairs=1)
    reviewer = as_reviewer(client, _token(campaign))
    _, pair = reviewer("POST", f"campaigns/{campaign.pk}/assignments/next")
    assert set(pair) == {"token", "prompt", "left", "right", "rubric", "lease_expires_at", "progress"}
    assert set(pair["prompt"]) == {"instruction", "input", "turns", "tools"}
    assert set(pair["left"]) == set(pair["right"]) == {"text"}
    said = json.dumps(pair)
    for secret in (
        campaign.comparison.baseline.name,
        campaign.comparison.candidate.name,
        str(campaign.comparison_id),
        "baseline",
        "candidate",
    ):
        assert secret not in said


def _token(campaign):
    from evaluation.review.services import invitations

    return invitations.join(code=campaign.invites.earliest("id").code)[1]


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [
        ({"preference": "candidate"}, "invalid", 400),
        ({"scores": {}}, "invalid_rating", 400),
        ({"reviewer": 1}, "invalid", 400),
        ({"candidate_left": True}, "invalid", 400),
        ({"active_ms": -1}, "invalid", 400),
        ({"active_ms": 10**12}, "invalid", 400),
    ],
)
def test_a_bad_rating_is_a_problem_document(client, owner, change, code, status):
    campaign = factories.campaign(owner, pairs=1)
    reviewer = as_reviewer(client, _token(campaign))
    token = reviewer("POST", f"campaigns/{campaign.pk}/assignments/next")[1]["token"]
    answer = reviewer("PUT", f"assignments/{token}/rating", factories.answers(campaign) | change)
    assert answer[0] == status and answer[1]["code"] == code and answer[1]["problems"]
    assert not Rating.objects.exists()


def test_a_rating_beyond_all_size_is_refused_as_too_large(client, owner):
    campaign = factories.campaign(owner, pairs=1)
    reviewer = as_reviewer(client, _token(campaign))
    token = reviewer("POST", f"campaigns/{campaign.pk}/assignments/next")[1]["token"]
    huge = factories.answers(campaign) | {"comment": "x" * 6_000_000}
    status, answer = reviewer("PUT", f"assignments/{token}/rating", huge)
    assert (status, answer["code"]) == (413, "too_large") and "5 MB" in answer["detail"]
    assert reviewer("PUT", f"assignments/{token}/rating", factories.answers(campaign))[0] == 200


def test_tokens_of_strangers_and_other_campaigns_open_nothing(client, owner):
    campaign, other = factories.campaign(owner, pairs=1), factories.campaign(owner, pairs=1)
    path = f"campaigns/{campaign.pk}/assignments/next"
    assert client.post(f"/api/v1/{path}").status_code == 401
    assert as_reviewer(client, "made-up")("POST", path)[0] == 401
    assert as_reviewer(client, _token(other))("POST", path)[0] == 404
    mine = as_reviewer(client, _token(campaign))
    assert mine("PUT", f"assignments/{uuid.uuid4()}/rating", factories.answers(campaign))[0] == 404
    assert mine("GET", "campaigns/")[0] in (401, 403)


def test_the_review_cookie_alone_needs_the_csrf_token(owner):
    from django.test import Client

    campaign = factories.campaign(owner, pairs=1)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies[reviewer_cookie(campaign.pk)] = _token(campaign)
    assert strict.post(f"/api/v1/campaigns/{campaign.pk}/assignments/next").status_code == 403


@pytest.mark.parametrize("body", [{"role": "admin"}, {"is_simulated": True}, {"number": 7}])
def test_an_invitation_takes_no_wishes(client, owner, body):
    campaign = factories.campaign(owner, pairs=1)
    code = campaign.invites.get().code
    answer = client.post(f"/api/v1/invites/{code}/accept", json.dumps(body), "application/json")
    assert answer.status_code == 400 and answer.json()["problems"][0]["field"] == next(iter(body))
    assert not campaign.reviewers.exists()


def test_invitations_end(client, owner, django_assert_num_queries):
    from django.utils import timezone

    campaign = factories.campaign(owner, pairs=1)
    invite = campaign.invites.get()
    invite.max_reviewers = 1
    invite.save()
    path = f"/api/v1/invites/{invite.code}/accept"
    assert client.post(path).status_code == 200
    assert client.post(path).json()["code"] == "invite_full"
    invite.revoked_at = timezone.now()
    invite.save()
    assert client.post(path).json()["code"] == "invite_withdrawn"


def test_a_dataset_is_uploaded_and_bad_rows_come_back_by_line(client, api):
    def upload(content):
        file = SimpleUploadedFile("cases.jsonl", content)
        return client.post(
            "/api/v1/datasets/",
            {"name": "cases", "file": file},
            headers={"Authorization": f"Bearer {api.key}"},
        )

    rows = [factories.row(id=f"r{n}", input=f"May I, {n}?") for n in range(20)]
    bad = upload(factories.jsonl(*rows, b"{").getvalue())
    assert bad.status_code == 422 and bad.json()["problems"][0]["line"] == 21
    good = upload(factories.jsonl(*rows).getvalue())
    assert good.status_code == 201 and good.json()["train_rows"] == 18


def test_a_launch_with_the_same_key_is_the_same_run_and_another_body_is_refused(api, owner):
    candidate, prompts = factories.adapter(owner), factories.prompt_set(owner)
    body = {"name": "compare", "prompt_set": str(prompts.pk), "candidate": str(candidate.pk)}
    first = api("POST", "comparisons/", body, **{"Idempotency-Key": "k1"})
    again = api("POST", "comparisons/", body, **{"Idempotency-Key": "k1"})
    assert first[0] == 201 and first[1]["id"] == again[1]["id"]
    other = api("POST", "comparisons/", body | {"name": "else"}, **{"Idempotency-Key": "k1"})
    assert other == (422, other[1]) and other[1]["code"] == "idempotency_mismatch"


def test_a_comparison_is_cancelled_measured_and_tried_again_through_the_api(api, owner):
    run = factories.comparison(owner, prompts=2, finished=False)
    claim = jobs.claim_next(queue=run.queue, worker="test")
    assert claim is not None
    prompt = run.prompt_set.prompts.earliest("pk")
    timing = {"prompt_id": prompt.pk, "model": str(run.baseline_id), "place": 0, "output_tokens": 3}
    responses.record_timings(claim, [timing | {"first_token_ms": 10.0, "total_ms": 30.0}])
    failure = {"prompt_id": prompt.pk, "model": str(run.baseline_id), "sample": 0}
    responses.record_failures(claim, [failure | {"code": "endpoint_status", "message": "It said 500."}])
    path = f"comparisons/{run.pk}/"
    status, page = api("GET", f"{path}timings/")
    assert (status, page["count"], page["results"][0]["token_ms"]) == (200, 1, 10.0)
    status, page = api("GET", f"{path}failures/")
    assert (status, page["results"][0]["prompt"], page["results"][0]["code"]) == (
        200,
        "p0",
        "endpoint_status",
    )
    assert api("GET", f"{path}failures/?model__name=x")[0] == 200  # no filter here, so no effect
    assert api("POST", f"{path}try-again/", {})[1]["code"] == "not_failed"
    jobs.finish(claim, Job.Status.FAILED, error_code="incomplete", error_message="Some are missing.")
    assert api("POST", f"{path}try-again/", {})[1]["status"] == "queued"
    assert api("POST", f"{path}pause/", {})[1]["status"] == "paused"
    assert api("POST", f"{path}resume/", {})[1]["status"] == "queued"
    assert api("POST", f"{path}cancel/", {})[1]["status"] == "cancelled"
    assert api("POST", f"{path}try-again/", {})[1]["code"] == "not_failed"


def test_external_systems_are_registered_and_compared_through_an_endpoint(api, owner, settings):
    settings.GENERATION_ENDPOINTS = {"vllm": {"base_url": "http://gpu1:8000/v1"}}
    names = ("old system", "new system")
    old, new = (api("POST", "models/external/", {"name": name})[1]["id"] for name in names)
    assert api("POST", "models/external/", {"name": names[0]})[1]["id"] == old
    body = {"name": "served", "prompt_set": str(factories.prompt_set(owner).pk), "candidate": new}
    assert api("POST", "comparisons/", body | {"baseline": old})[1]["code"] == "not_local"
    status, run = api("POST", "comparisons/", body | {"baseline": old, "engine": "vllm"})
    assert (status, run["engine"]) == (201, "vllm")


def test_several_candidates_through_the_api(api, owner):
    first, prompts = factories.adapter(owner), factories.prompt_set(owner)
    base = first.base
    assert base is not None
    second = factories.adapter(owner, base=base)
    wanted = [str(first.pk), str(second.pk)]
    body = {"name": "compare", "prompt_set": str(prompts.pk), "candidates": wanted}
    status, run = api("POST", "comparisons/", body)
    assert (status, run["candidates"], run["candidate"]) == (201, wanted, wanted[0])
    assert run["baseline"] == str(base.pk)
    for model, count in ((second.pk, 1), (base.pk, 0)):
        status, page = api("GET", f"comparisons/?candidate={model}")
        assert (status, page["count"]) == (200, count)
    assert api("GET", "comparisons/?candidate=nonsense")[0] == 400
    both = api("POST", "comparisons/", body | {"candidate": wanted[0]})
    assert both[0] == 400 and both[1]["problems"][0]["field"] == "candidates"


def test_bad_settings_of_a_run_are_named(api, owner):
    run = factories.training_run(owner)
    body = {"name": "x", "dataset": str(run.dataset_id), "base_model": str(run.base_model_id)}
    status, problem = api("POST", "training-runs/", body | {"config": {"lora_r": 0, "colour": "red"}})
    assert status == 400 and {item["field"] for item in problem["problems"]} == {"lora_r", "colour"}
    assert api("POST", "training-runs/", body | {"id": "1"})[1]["problems"][0]["field"] == "id"


def test_a_missing_model_folder_is_said_before_a_run_starts(api, owner):
    run = factories.training_run(owner)
    body = {"name": "x", "dataset": str(run.dataset_id), "base_model": str(run.base_model_id)}
    status, problem = api("POST", "training-runs/", body)
    assert (status, problem["code"]) == (422, "model_missing")


def test_the_schema_describes_every_endpoint(client):
    text = client.get("/api/v1/schema/").content.decode()
    for path in (
        "/api/v1/campaigns/{campaign}/assignments/next",
        "/api/v1/assignments/{token}/rating",
        "/api/v1/datasets/",
    ):
        assert path in text


def test_looks_are_planned_frozen_and_logged(owner):
    from evaluation.review.services import campaigns, ratings
    from ftplatform.accounts.models import AuditEntry
    from ftplatform.errors import DomainError

    campaign = factories.campaign(owner, pairs=4, overlap=2, looks=(0.5, 1.0))

    def rate(reviewer, count):
        for _ in range(count):
            current = factories.lease(reviewer)
            ratings.submit(reviewer=reviewer, token=current.token, answer=factories.answer(campaign))

    first, second = factories.reviewer(campaign), factories.reviewer(campaign)
    rate(first, 3)
    with pytest.raises(DomainError) as caught:
        reports.take_look(campaign=campaign, user=owner)
    assert caught.value.code == "look_not_due"
    rate(first, 1)
    interim = reports.take_look(campaign=campaign, user=owner)
    assert not interim.is_final and interim.result["look"]["fraction"] == 0.5
    assert interim.result["look"]["significance_level"] < 0.05
    with pytest.raises(DomainError):
        reports.take_look(campaign=campaign, user=owner)
    rate(second, 4)
    final = reports.take_look(campaign=campaign, user=owner)
    assert final.is_final and final.look == 2
    assert reports.take_look(campaign=campaign, user=owner).pk == final.pk
    campaigns.close(campaign=campaign, user=owner, reason="done")
    assert reports.take_look(campaign=campaign, user=owner).pk == final.pk
    assert AuditEntry.objects.filter(action="campaign.look").count() == 2
    interim.refresh_from_db()
    assert interim.result["primary"]["n_ratings"] == 4


def test_a_changed_plan_is_not_analysed(owner):
    from evaluation.models import Campaign
    from evaluation.review.services import campaigns
    from ftplatform.errors import DomainError

    campaign = factories.campaign(owner, pairs=1, overlap=1)
    campaigns.close(campaign=campaign, user=owner, reason="x")
    Campaign.objects.filter(pk=campaign.pk).update(plan=campaign.plan | {"margin": 0.2})
    campaign.refresh_from_db()
    with pytest.raises(DomainError) as caught:
        reports.take_look(campaign=campaign, user=owner)
    assert caught.value.code == "plan_changed"


def test_a_campaign_without_ratings_is_inconclusive_and_says_why(owner):
    from evaluation.report.exports.markdown import markdown
    from evaluation.review.services import campaigns

    campaign = factories.campaign(owner, pairs=1, overlap=1)
    campaigns.close(campaign=campaign, user=owner, reason="nobody came")
    campaign.refresh_from_db()
    report = reports.take_look(campaign=campaign, user=owner)
    assert report.result["verdict"] == "inconclusive"
    assert "NaN" not in json.dumps(report.result) and "None" not in markdown(report)
    assert io.StringIO(markdown(report)).readline().startswith("# Replies")
