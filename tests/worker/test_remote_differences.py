"""Comparisons over endpoints that differ from OpenAI's, from the launch to the page."""

import time
from email.utils import formatdate

import pytest
from django.urls import reverse

from evaluation.comparison.services import comparisons
from evaluation.models import Prompt, Response
from ftplatform import queues
from ftplatform.jobs.models import Job
from tests import factories
from tests.worker.chat_server import completion, echo
from tests.worker.remote import worked

pytestmark = pytest.mark.django_db(transaction=True)
TOOL = {"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}}


def page(client, run):
    client.force_login(run.created_by)
    return client.get(reverse("evaluation:comparison", args=[run.pk])).content.decode()


# --- The queue ----------------------------------------------------------------------------------------------


def test_an_endpoints_comparison_does_not_wait_for_the_gpu(launch):
    run = launch(prompts=1)
    ahead = factories.training_run(run.created_by, status=Job.Status.QUEUED)
    assert (run.queue, ahead.queue) == (queues.ENDPOINT, queues.GPU)
    assert worked(run).status == Job.Status.SUCCEEDED
    ahead.refresh_from_db()
    assert ahead.status == Job.Status.QUEUED


# --- Request parameters -------------------------------------------------------------------------------------


def picky(handler, request, nth):
    if "max_tokens" in request:
        return handler.reply(400, b"Unsupported parameter: max_tokens. Use max_completion_tokens.")
    if "seed" in request:
        return handler.reply(422, b'{"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"]}]}')
    return echo(handler, request, nth)


def test_a_refused_parameter_is_named_and_can_be_renamed_by_the_operator(launch, server, settings):
    server.behave = picky
    run = worked(launch(prompts=1))
    assert run.error_code == "incomplete"
    assert "Rename or leave out max_tokens under the request parameters." in run.error_message
    settings.GENERATION_ENDPOINTS["engine"]["parameters"] = {
        "max_tokens": "max_completion_tokens",
        "seed": "",
    }
    comparisons.try_again(user=run.created_by, comparison=run)
    assert worked(run).status == Job.Status.SUCCEEDED


def test_parameters_are_renamed_left_out_and_recorded(launch, server, settings, client):
    settings.GENERATION_ENDPOINTS["engine"]["parameters"] = {"max_tokens": "limit", "top_p": ""}
    server.behave = picky
    run = worked(launch(prompts=1, parameters={"max_tokens": "max_completion_tokens", "seed": ""}))
    assert run.status == Job.Status.SUCCEEDED, run.error_message
    request, _ = server.asked[0]
    assert request.keys() == {"model", "messages", "max_completion_tokens", "temperature"}
    assert request["max_completion_tokens"] == 16
    sent = {"max_tokens": "max_completion_tokens", "top_p": "", "seed": ""}
    assert run.facts["parameters"] == sent
    assert "max_tokens as max_completion_tokens, no seed, no top_p" in page(client, run)


# --- Conversations and tools --------------------------------------------------------------------------------


def test_turns_and_tools_reach_the_endpoint(launch, server):
    owner = factories.user()
    prompts = factories.prompt_set(owner, 1)
    call = {"id": "c1", "function": {"name": "lookup", "arguments": {"id": 7}}}
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Where is order 7?"},
        {"role": "assistant", "content": "", "tool_calls": [call], "weight": 0},
        {"role": "tool", "content": "Sent.", "tool_call_id": "c1"},
    ]
    Prompt.objects.filter(prompt_set=prompts).update(messages=turns, tools=[TOOL])
    run = worked(launch(prompt_set=prompts))
    assert run.status == Job.Status.SUCCEEDED, run.error_message
    request, _ = server.asked[0]
    assert request["tools"] == [TOOL]
    function = {"name": "lookup", "arguments": '{"id": 7}'}
    call = {"id": "c1", "type": "function", "function": function}
    calling = {"role": "assistant", "content": "", "tool_calls": [call]}
    assert request["messages"] == [turns[0], turns[1], calling, turns[3]]


def test_a_prompt_that_is_no_conversation_fails_alone(launch):
    owner = factories.user()
    prompts = factories.prompt_set(owner, 2)
    prompts.prompts.filter(key="p1").update(messages=[{"role": "assistant", "content": "Hello"}])
    run = worked(launch(prompt_set=prompts, latency_prompts=2))
    assert run.error_code == "incomplete" and run.responses.count() == 2
    assert {(each.prompt.key, each.code) for each in run.failures.all()} == {("p1", "data_invalid")}


# --- What the page says -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "listing",
    [
        lambda handler: handler.reply(404, b'{"error": {"message": "Not Found"}}'),
        lambda handler: handler.reply(403, b"no list with this key"),
        lambda handler: handler.reply(200, b"<html>Welcome</html>"),
        lambda handler: handler.reply_json({"models": 3}),
    ],
    ids=["missing", "forbidden", "page", "no list"],
)
def test_a_list_of_models_that_cannot_be_read_is_a_warning(launch, server, client, listing):
    server.listing = listing

    def behave(handler, request, nth):
        # Passing trouble makes the run look whether the endpoint is there, which it is.
        return handler.reply(500, b"boom") if nth <= 2 else echo(handler, request, nth)

    server.behave = behave
    run = worked(launch(prompts=1))
    assert run.status == Job.Status.SUCCEEDED, run.error_message
    assert len(run.facts["warnings"]) == 1
    assert "Models not checked" in page(client, run)
    assert run.events.filter(message=run.facts["warnings"][0]).count() == 1


def test_the_warning_is_on_the_page_of_a_failed_comparison_too(launch, server, client):
    server.listing = lambda handler: handler.reply(404, b"")
    server.behave = lambda handler, request, nth: handler.reply(404, b"no such model")
    run = worked(launch(prompts=1))
    assert run.status == Job.Status.FAILED
    assert page(client, run).count("Models not checked") == 1


def test_latencies_that_were_not_measured_are_counted_with_reasons(launch, server, client):
    def behave(handler, request, nth):
        if not request.get("stream"):
            return echo(handler, request, nth)
        if request["model"] == "base-served":
            return handler.reply(503, b"no streams here")
        handler.reply(200, b'data: {"choices": [{"delta": {"content": "Yes"}, "finish_reason": "stop"}]}\n\n')
        return None

    server.behave = behave
    run = worked(launch(prompts=4, latency_prompts=3))
    assert run.status == Job.Status.SUCCEEDED, run.error_message
    shown = page(client, run)
    assert (
        "3 of 6 latencies could not be measured: The endpoint answered 503: no streams here (3 times)."
        in shown
    )
    assert "3 have no time per token, because the endpoint did not count the tokens." in shown


def test_measured_latencies_need_no_word(launch, client):
    run = worked(launch(prompts=2, latency_prompts=2))
    assert run.facts["unmeasured"] == {str(model.pk): [] for model in run.model_versions}
    assert "Latencies not measured" not in page(client, run)


def test_an_unknown_end_is_stored_with_its_word_and_not_asked_again(launch, server, client):
    server.behave = lambda handler, request, nth: handler.reply_json(completion("Fine", "model_tired"))
    run = worked(launch(prompts=2))
    assert run.status == Job.Status.SUCCEEDED, run.error_message
    assert len(server.asked) == 4
    stored = Response.objects.filter(comparison=run).values_list("text", "finish_reason", "finish_word")
    assert set(stored) == {("Fine", "unknown", "model_tired")}
    client.force_login(run.created_by)
    pair = run.pairs.first()
    shown = client.get(reverse("evaluation:pair", args=[run.pk, pair.pk])).content.decode()
    assert "The endpoint ended it with the reason model_tired." in shown


def test_a_date_to_retry_after_is_waited_for(launch, server):
    free_at = time.time() + 6

    def behave(handler, request, nth):
        if time.time() < free_at:
            return handler.reply(429, b"slow down", Retry_After=formatdate(free_at + 1, usegmt=True))
        return echo(handler, request, nth)

    server.behave = behave
    run = worked(launch(prompts=1))
    assert run.status == Job.Status.SUCCEEDED, run.error_message
    assert max(server.times.values()) <= 2
