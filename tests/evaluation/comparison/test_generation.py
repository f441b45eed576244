"""Comparisons: what may be compared, what a worker stores, what becomes a pair."""

import json
from itertools import pairwise
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse

from evaluation import rubrics
from evaluation.comparison import engines
from evaluation.comparison.services import comparisons, responses
from evaluation.models import Comparison, Pair, Response, Timing
from evaluation.review.services import campaigns
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from tests import factories
from training.config import DecodingConfig

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return factories.user("admin")


def launch(owner, *candidates, **options):
    return comparisons.launch(
        user=owner,
        name="run",
        prompt_set=factories.prompt_set(owner, 2),
        candidates=list(candidates),
        decoding=DecodingConfig(),
        **options,
    )


def claimed(run):
    claim = jobs.claim_next(queue=run.queue, worker="test")
    assert claim is not None and claim.job_id == run.pk
    return claim


def refusal(owner, *candidates, **options):
    with pytest.raises(DomainError) as caught:
        launch(owner, *candidates, **options)
    return caught.value


def test_several_candidates_share_the_baselines_responses(owner):
    run = factories.comparison(owner, prompts=3, candidates=2, samples=2)
    assert run.responses.count() == 3 * 3 * 2
    assert run.pairs.count() == 3 * 2 * 2
    for model in run.candidates:
        pairs = Pair.objects.filter(comparison=run, candidate_model=model).select_related(
            "baseline_response", "candidate_response"
        )
        assert {(pair.prompt_id, pair.sample) for pair in pairs} == {
            (prompt.pk, sample) for prompt in run.prompt_set.prompts.all() for sample in (0, 1)
        }
        for pair in pairs:
            assert (pair.baseline_response.model_id, pair.candidate_response.model_id) == (
                run.baseline_id,
                model.pk,
            )
            assert pair.baseline_response.sample == pair.candidate_response.sample == pair.sample


def test_the_candidates_base_is_the_baseline_unless_told(owner):
    candidate = factories.adapter(owner)
    earlier = factories.adapter(owner, base=candidate.base)
    assert launch(owner, candidate).baseline == candidate.base
    assert launch(owner, candidate, baseline=earlier).baseline == earlier


def test_an_adapter_of_another_base_is_refused_by_name(owner):
    candidate, stranger = factories.adapter(owner), factories.adapter(owner)
    error = refusal(owner, candidate, stranger)
    assert error.code == "adapter_other_base"
    for name in (stranger.name, str(stranger.base), str(candidate.base)):
        assert name in error.detail


def test_templates_that_differ_are_refused_with_both_hashes(owner):
    base = factories.base_model(owner)
    one, other = (
        factories.adapter(
            owner,
            base=base,
            run=factories.training_run(owner, base_model=base, facts={"template_hash": mark * 64}),
        )
        for mark in "ab"
    )
    error = refusal(owner, one, other)
    assert error.code == "template_mismatch"
    assert "a" * 64 in error.detail and "b" * 64 in error.detail


def test_tools_that_the_base_cannot_render_are_refused_with_the_prompt(owner):
    base = factories.base_model(owner, details={"template": {"tools": False}})
    candidate = factories.adapter(owner, base=base)
    prompts = factories.prompt_set(owner, 2)
    asked: dict[str, Any] = {"name": "run", "candidates": [candidate], "decoding": DecodingConfig()}
    assert comparisons.launch(user=owner, prompt_set=prompts, **asked)
    with pytest.raises(DomainError) as caught:
        comparisons.launch(user=owner, prompt_set=factories.with_turns(prompts), **asked)
    assert caught.value.code == "tools_unsupported"
    assert "Prompt p0" in caught.value.detail and str(base) in caught.value.detail
    assert Comparison.objects.count() == 1


def test_tool_calls_of_an_endpoint_are_stored_without_ids(owner):
    run = factories.comparison(owner, prompts=1, finished=False)
    claim, prompt = claimed(run), run.prompt_set.prompts.get()
    call = {"id": "x", "type": "function", "function": {"name": "find", "arguments": '{"n": 1}'}}
    text = json.dumps({"content": "", "tool_calls": [call]})
    responses.record_responses(claim, [factories.response(run, prompt, run.candidate, text=text)])
    responses.record_responses(claim, [factories.response(run, prompt, run.baseline, text=f"{text}, so")])
    stored = {response.model: response.text for response in run.responses.select_related("model")}
    assert stored == {
        run.candidate: '{"tool_calls": [{"name": "find", "arguments": {"n": 1}}]}',
        run.baseline: f"{text}, so",
    }


def test_what_makes_no_comparison_is_refused(owner):
    candidate = factories.adapter(owner)
    many = [factories.adapter(owner, base=candidate.base) for _ in range(9)]
    external = factories.external_model(owner)
    assert refusal(owner).code == "no_candidate"
    assert refusal(owner, *many).code == "too_many_candidates"
    assert refusal(owner, candidate.base).code == "no_baseline"
    assert refusal(owner, candidate, candidate).code == "same_model"
    assert refusal(owner, candidate, baseline=candidate).code == "same_model"
    assert refusal(owner, external, baseline=candidate.base).code == "not_local"


def test_what_remains_is_every_response_not_yet_there(owner):
    run = factories.comparison(owner, prompts=2, finished=False)
    claim = claimed(run)
    first, second = run.prompt_set.prompts.all()
    responses.record_responses(claim, [factories.response(run, first, run.candidate)])
    assert [(item["prompt_id"], item["wanted"]) for item in responses.remaining(run)[0]] == [
        (first.pk, [(str(run.baseline_id), 0)]),
        (second.pk, [(str(run.baseline_id), 0), (str(run.candidate.pk), 0)]),
    ]


def test_the_first_response_stays(owner):
    run = factories.comparison(owner, prompts=1, finished=False)
    claim, prompt = claimed(run), run.prompt_set.prompts.get()
    for text in ("first", "second"):
        responses.record_responses(claim, [factories.response(run, prompt, run.candidate, text=text)])
    assert Response.objects.get().text == "first"


def test_an_answer_to_a_prompt_of_another_set_is_refused_by_name(owner):
    run = factories.comparison(owner, prompts=1, finished=False)
    claim, stranger = claimed(run), factories.prompt_set(owner, 1).prompts.get()
    good = factories.response(run, run.prompt_set.prompts.get(), run.baseline)
    with pytest.raises(DomainError) as caught:
        responses.record_responses(claim, [good, factories.response(run, stranger, run.baseline)])
    assert caught.value.code == "unknown_prompt" and str(stranger.pk) in caught.value.detail
    assert not Response.objects.exists()


def test_no_pairs_before_every_model_has_answered(owner):
    run = factories.comparison(owner, prompts=1, finished=False, candidates=2)
    claim, prompt = claimed(run), run.prompt_set.prompts.get()
    for model in run.model_versions[:-1]:
        responses.record_responses(claim, [factories.response(run, prompt, model)])
    with pytest.raises(DomainError) as caught:
        responses.complete(claim, {})
    assert caught.value.code == "incomplete" and not Pair.objects.exists()


# --- trying again ------------------------------------------------------------------------------------------


@pytest.fixture
def failed(owner):
    """A run whose worker stored one response and named why another could not be made."""
    run = factories.comparison(owner, prompts=1, finished=False)
    claim, prompt = claimed(run), run.prompt_set.prompts.get()
    responses.record_responses(claim, [factories.response(run, prompt, run.baseline)])
    identity = {"prompt_id": prompt.pk, "model": str(run.candidate.pk), "sample": 0}
    for message in ("It hung.", "It hung <b>again</b>."):
        responses.record_failures(claim, [identity | {"code": "endpoint_timeout", "message": message}])
    with pytest.raises(DomainError) as caught:
        responses.complete(claim, {})
    jobs.finish(claim, Job.Status.FAILED, error_code=caught.value.code, error_message=str(caught.value))
    run.refresh_from_db()
    return run


def test_a_failure_is_named_once_with_its_latest_reason(failed):
    assert [failure.message for failure in failed.failures.all()] == ["It hung <b>again</b>."]
    for words in ("1 responses", failed.candidate.name, "p0", "It hung <b>again</b>."):
        assert words in failed.error_message


def test_trying_again_makes_only_what_is_missing_and_forgets_the_failure(failed, owner):
    comparisons.try_again(user=owner, comparison=failed)
    claim = claimed(failed)
    (wanted,) = responses.remaining(failed)[0]
    assert wanted["wanted"] == [(str(failed.candidate.pk), 0)]
    prompt = failed.prompt_set.prompts.get()
    responses.record_responses(claim, [factories.response(failed, prompt, failed.candidate)])
    assert not failed.failures.exists()
    assert responses.complete(claim, {}) == 1


def test_only_what_has_failed_is_tried_again(owner):
    run = factories.comparison(owner)
    with pytest.raises(DomainError) as caught:
        comparisons.try_again(user=owner, comparison=run)
    assert caught.value.code == "not_failed"
    run.refresh_from_db()
    assert run.status == run.Status.SUCCEEDED


def test_the_page_names_failures_as_text_and_offers_to_try_again(client, failed, owner):
    client.force_login(owner)
    address = reverse("evaluation:comparison", args=[failed.pk])
    page = client.get(address).content.decode()
    assert "It hung &lt;b&gt;again&lt;/b&gt;." in page and "Retry missing responses" in page
    again = client.post(reverse("evaluation:comparison_again", args=[failed.pk]))
    assert again.status_code == 302
    failed.refresh_from_db()
    assert failed.status == failed.Status.QUEUED


# --- going on without what is missing ------------------------------------------------------------------------


@pytest.fixture
def uneven(owner):
    """A failed run of three prompts, of which the candidate could not answer the last."""
    run = factories.comparison(owner, prompts=3, finished=False)
    claim, prompts = claimed(run), list(run.prompt_set.prompts.all())
    for prompt in prompts:
        responses.record_responses(claim, [factories.response(run, prompt, run.baseline)])
    for prompt in prompts[:2]:
        responses.record_responses(claim, [factories.response(run, prompt, run.candidate)])
    identity = {"prompt_id": prompts[2].pk, "model": str(run.candidate.pk), "sample": 0}
    responses.record_failures(claim, [identity | {"code": "prompt_too_long", "message": "Too long."}])
    with pytest.raises(DomainError) as caught:
        responses.complete(claim, {})
    jobs.finish(claim, Job.Status.FAILED, error_code=caught.value.code, error_message=str(caught.value))
    run.refresh_from_db()
    return run


def worked(run):
    """What a worker does with a run that has nothing left to make."""
    claim = claimed(run)
    run.refresh_from_db()
    assert responses.remaining(run) == ([], [])
    made = responses.complete(claim, {})
    jobs.finish(claim, Job.Status.SUCCEEDED)
    return made


def test_the_answered_prompts_are_compared_and_what_was_left_out_is_said_everywhere(client, uneven, owner):
    client.force_login(owner)
    address = reverse("evaluation:comparison", args=[uneven.pk])
    assert "Continue without them" in client.get(address).content.decode()
    client.post(reverse("evaluation:comparison_without", args=[uneven.pk]))
    assert worked(uneven) == uneven.pairs.count() == 2
    said = "1 of 3 prompts are not compared, because not every model answered them: p2."
    page = client.get(address).content.decode()
    assert said in page and f"{uneven.candidate.name} 1" in page
    markdown = client.get(reverse("evaluation:comparison_file", args=[uneven.pk, "md"])).content.decode()
    assert said in markdown
    left_out = client.get(f"/api/v1/comparisons/{uneven.pk}/figures/").json()["left_out"]
    assert left_out == {
        "prompts": 1,
        "of": 3,
        "first": ["p2"],
        "unanswered": {uneven.baseline.name: 0, uneven.candidate.name: 1},
    }


def test_through_the_api_too_and_only_while_answers_are_missing(client, uneven, owner):
    client.force_login(owner)
    address = f"/api/v1/comparisons/{uneven.pk}/leave-out-missing/"
    assert client.post(address).status_code == 200
    again = client.post(address)
    assert (again.status_code, again.json()["code"]) == (409, "not_incomplete")


def test_a_run_without_one_whole_prompt_has_nothing_to_compare(failed, owner):
    comparisons.leave_out_missing(user=owner, comparison=failed)
    with pytest.raises(DomainError) as caught:
        responses.complete(claimed(failed), {})
    assert caught.value.code == "nothing_answered" and not Pair.objects.exists()


# --- latency -----------------------------------------------------------------------------------------------


def test_which_prompts_are_measured_is_drawn_once_and_no_model_is_favoured(owner):
    run = factories.comparison(owner, prompts=40, finished=False, candidates=1)
    run.decoding |= {"latency_prompts": 20}
    run.save()
    planned = responses.measurements(run)
    assert planned == responses.measurements(run)
    assert [each["place"] for each in planned] == list(range(40))
    assert len({each["prompt_id"] for each in planned}) == 20
    first = [each["model"] for each in planned[::2]]
    assert first.count(str(run.baseline_id)) == 10
    assert first != [str(run.baseline_id), str(run.candidate.pk)] * 10
    assert all(one["prompt_id"] == two["prompt_id"] for one, two in pairwise(planned[:2]))


def test_a_measurement_is_stored_once_and_not_planned_again(owner):
    run = factories.comparison(owner, prompts=2, finished=False)
    claim = claimed(run)
    planned = responses.remaining(run)[1]
    timing = planned[0] | {"input_tokens": 9, "output_tokens": 11, "first_token_ms": 20.0, "total_ms": 120.0}
    responses.record_timings(claim, [timing])
    responses.record_timings(claim, [timing | {"total_ms": 1.0}])
    stored = run.timings.get()
    assert (stored.total_ms, stored.token_ms) == (120.0, 10.0)
    assert responses.remaining(run)[1] == planned[1:]


def test_a_response_of_one_token_has_no_time_per_token():
    assert Timing(total_ms=5, first_token_ms=5, output_tokens=1).token_ms is None
    assert Timing(total_ms=5, first_token_ms=None, output_tokens=9).token_ms is None


def test_a_worker_cannot_speak_for_a_model_that_is_not_compared(owner):
    run = factories.comparison(owner, prompts=1, finished=False)
    claim, stranger = claimed(run), factories.adapter(owner)
    for record, item in (
        (responses.record_responses, factories.response(run, run.prompt_set.prompts.get(), stranger)),
        (
            responses.record_failures,
            {"prompt_id": run.prompt_set.prompts.get().pk, "model": str(stranger.pk)},
        ),
    ):
        with pytest.raises(DomainError) as caught:
            record(claim, [item])
        assert caught.value.code == "unknown_model" and str(stranger.pk) in caught.value.detail


def test_a_response_beyond_all_bounds_is_refused_by_name(owner):
    run = factories.comparison(owner, prompts=1, finished=False)
    claim, prompt = claimed(run), run.prompt_set.prompts.get()
    with pytest.raises(DomainError) as caught:
        responses.record_responses(
            claim, [factories.response(run, prompt, run.baseline, text="x" * 4_000_001)]
        )
    assert caught.value.code == "response_too_long" and "p0" in caught.value.detail


# --- engines -----------------------------------------------------------------------------------------------


def test_an_engine_that_nobody_has_named_is_refused(owner, settings):
    settings.GENERATION_ENDPOINTS = {"vllm": {"base_url": "http://gpu1:8000/v1"}}
    error = refusal(owner, factories.adapter(owner), engine="http://169.254.169.254/")
    assert error.code == "unknown_engine" and "local, vllm" in error.detail


def test_an_endpoint_may_serve_what_no_worker_could_load(owner, settings):
    settings.GENERATION_ENDPOINTS = {"vllm": {"base_url": "http://gpu1:8000/v1"}}
    one, other = factories.external_model(owner), factories.external_model(owner)
    assert launch(owner, one, baseline=other, engine="vllm").engine == "vllm"


@pytest.mark.parametrize(
    ("table", "word"),
    [
        ({"base_url": "file:///etc/passwd"}, "base_url"),
        ({"base_url": "http://user:secret@host/v1"}, "base_url"),
        ({"base_url": "http://host/v1", "key": "sk-123"}, "key"),
        ({"base_url": "http://host/v1", "timeout_seconds": 0}, "timeout_seconds"),
        ({"base_url": "http://host/v1", "parameters": {"messages": ""}}, "parameters.*messages"),
        ("http://host/v1", "table"),
    ],
)
def test_a_wrong_endpoint_stops_the_start_and_says_where(settings, table, word):
    settings.GENERATION_ENDPOINTS = {"vllm": table}
    with pytest.raises(ImproperlyConfigured, match=word):
        engines.configured()


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"messages": ""}, "messages is no request parameter"),
        ({"seed": "model"}, "two parts of a request would be called model"),
        ({"seed": "temperature"}, "two parts of a request would be called temperature"),
        ({"top_p": "max_completion_tokens"}, "two parts of a request would be called max_completion_tokens"),
        ({"seed": "a b"}, "cannot be called a b"),
        ({"seed": "s" * 61}, "at most 60"),
    ],
)
def test_request_parameters_that_no_request_could_have_are_refused(owner, settings, parameters, word):
    renamed = {"max_tokens": "max_completion_tokens"}
    settings.GENERATION_ENDPOINTS = {"vllm": {"base_url": "http://gpu1:8000/v1", "parameters": renamed}}
    error = refusal(owner, factories.adapter(owner), engine="vllm", parameters=parameters)
    assert (error.code, error.status, error.problems[0]["field"]) == ("parameters", 400, "parameters")
    assert word in error.detail


def test_request_parameters_are_for_endpoints_alone(owner):
    assert refusal(owner, factories.adapter(owner), parameters={"seed": ""}).code == "parameters"


def test_the_api_takes_request_parameters_as_the_form_does(client, owner, settings):
    settings.GENERATION_ENDPOINTS = {"vllm": {"base_url": "http://gpu1:8000/v1"}}
    candidate, prompts = factories.adapter(owner), factories.prompt_set(owner)
    client.force_login(owner)
    body = {"name": "run", "prompt_set": str(prompts.pk), "candidate": str(candidate.pk), "engine": "vllm"}
    parameters = {"max_tokens": "max_completion_tokens", "seed": ""}
    answer = client.post(
        "/api/v1/comparisons/", body | {"parameters": parameters}, content_type="application/json"
    )
    assert answer.status_code == 201, answer.content
    assert answer.json()["parameters"] == Comparison.objects.get().parameters == parameters
    wrong = client.post(
        "/api/v1/comparisons/", body | {"parameters": {"n": "2"}}, content_type="application/json"
    )
    assert (wrong.status_code, wrong.json()["code"]) == (400, "parameters")


def test_the_form_launches_with_every_setting(client, owner, settings):
    settings.GENERATION_ENDPOINTS = {"vllm": {"base_url": "http://gpu1:8000/v1"}}
    candidate, prompts = factories.adapter(owner), factories.prompt_set(owner)
    client.force_login(owner)
    page = client.get(reverse("evaluation:comparison_new")).content.decode()
    assert "vllm" in page and candidate.name in page
    values = DecodingConfig(temperature=0.7, samples=3, seed=5, latency_prompts=2).model_dump()
    body = {"name": "run", "prompt_set": prompts.pk, "candidates": [candidate.pk], "engine": "vllm"}
    body["parameters"] = "max_tokens = max_completion_tokens\n\n seed="
    answer = client.post(reverse("evaluation:comparison_new"), body | values | {"idempotency_key": "k"})
    assert answer.status_code == 302, answer.content.decode()
    run = Comparison.objects.get()
    assert (run.engine, run.decoding, run.baseline) == ("vllm", values, candidate.base)
    assert run.parameters == {"max_tokens": "max_completion_tokens", "seed": ""}
    for change, word in (
        ({"samples": 99}, "less than or equal to 16"),
        ({"parameters": "seed"}, "Line 1 has no =."),
        ({"parameters": "seed =\nseed = s"}, "Line 2 has seed again."),
        ({"parameters": "n = 2"}, "n is no request parameter"),
    ):
        bad = client.post(
            reverse("evaluation:comparison_new"), body | values | change | {"idempotency_key": "l"}
        )
        assert bad.status_code == 400 and word in bad.content.decode(), word
    assert Comparison.objects.count() == 1


# --- campaigns choose one candidate ------------------------------------------------------------------------


def test_a_campaign_reviews_one_candidate_of_several(owner):
    run = factories.comparison(owner, prompts=3, candidates=2, samples=2)
    rubric = rubrics.builtin("customer_support")
    options = {"user": owner, "title": "Replies", "comparison": run, "overlap": 1, "rubric_text": rubric}
    with pytest.raises(DomainError) as caught:
        campaigns.create(**options)
    assert caught.value.code == "choose_candidate" and run.candidates[1].name in caught.value.detail
    campaign = campaigns.create(**options, candidate=run.candidates[1])
    campaigns.open_campaign(campaign=campaign, user=owner)
    items = campaign.items.select_related("pair")
    assert {(item.pair.candidate_model_id, item.pair.sample) for item in items} == {(run.candidates[1].pk, 0)}
    assert len({item.pair.prompt_id for item in items}) == 3


def test_a_campaign_refuses_a_candidate_that_the_run_does_not_have(owner):
    with pytest.raises(DomainError) as caught:
        campaigns.create(
            user=owner,
            title="Replies",
            comparison=factories.comparison(owner),
            candidate=factories.adapter(owner),
            rubric_text=rubrics.builtin("customer_support"),
            overlap=1,
        )
    assert caught.value.code == "foreign_candidate"


def test_the_page_of_a_model_links_the_comparisons_in_which_it_was_a_candidate(client, owner):
    run = factories.comparison(owner, prompts=1)
    client.force_login(owner)
    page = client.get(reverse("training:model", args=[run.candidate.pk])).content.decode()
    assert reverse("evaluation:comparison", args=[run.pk]) in page and run.name in page
