"""Comparisons whose engine is an endpoint: a real HTTP server, real worker processes, the whole path."""

import threading
import time
from itertools import pairwise
from statistics import median

import pytest

from evaluation.comparison.services import comparisons
from evaluation.models import Failure, Pair, Response
from ftplatform.jobs import services as jobs
from tests import services
from tests.worker.chat_server import completion, echo, late
from tests.worker.remote import worked
from tests.worker.test_supervise import meanwhile

pytestmark = pytest.mark.django_db(transaction=True)


def about(request, number):
    return f"May I, {number}?" in request["messages"][-1]["content"]


def test_an_endpoint_answers_for_every_model(launch, server):
    run = worked(launch(samples=2))
    assert run.status == run.Status.SUCCEEDED, run.error_message
    assert Pair.objects.filter(comparison=run).count() == 8
    pair = Pair.objects.select_related("baseline_response", "candidate_response").first()
    assert pair is not None
    assert pair.baseline_response.text.startswith(
        "base-served on"
    ) and pair.candidate_response.text.startswith("tuned-served on")
    assert (pair.candidate_response.input_tokens, pair.candidate_response.finish_reason) == (7, "stop")
    assert run.facts["engine"] == "engine" and run.facts["served"]
    request, headers = server.asked[0]
    assert headers["Authorization"] == "Bearer secret"
    assert (request["max_tokens"], request["temperature"]) == (16, 0.0)
    seeds = {asked["seed"] for asked, _ in server.asked}
    assert len(seeds) == 4 * 2  # one for each prompt and sample, the same for both models


def test_passing_trouble_is_tried_again_and_leaves_no_trace(launch, server):
    def behave(handler, request, nth):
        if about(request, 1) and nth == 1:
            return handler.reply(500, b"boom", Retry_After="0")
        if about(request, 2) and nth == 1:
            return handler.reply(200, b"<html>oops")
        if about(request, 3) and nth == 1:
            return handler.reply_json({"error": {"message": "CUDA out of memory"}})
        return echo(handler, request, nth)

    server.behave = behave
    run = worked(launch())
    assert run.status == run.Status.SUCCEEDED, run.error_message
    assert not Failure.objects.exists()
    assert not [text for text in texts(run) if "boom" in text or "html" in text or "CUDA" in text]


def texts(run):
    return list(Response.objects.filter(comparison=run).values_list("text", flat=True))


def test_what_cannot_be_answered_is_named_and_can_be_tried_again(launch, server):
    def refuse(handler, request, nth):
        if about(request, 2) and request["model"] == "tuned-served":
            return handler.reply(400, b"this prompt is too long")
        return echo(handler, request, nth)

    server.behave = refuse
    run = worked(launch())
    assert (run.status, run.error_code) == (run.Status.FAILED, "incomplete")
    assert run.candidate.name in run.error_message and "this prompt is too long" in run.error_message
    failure = Failure.objects.select_related("prompt").get()
    assert (failure.prompt.key, failure.code) == ("p2", "endpoint_status")
    assert len(texts(run)) == 7 and not Pair.objects.exists()

    server.behave, before = echo, len(server.asked)
    comparisons.try_again(user=run.created_by, comparison=run)
    run = worked(run)
    assert run.status == run.Status.SUCCEEDED, run.error_message
    assert len(server.asked) == before + 1
    assert not Failure.objects.exists() and Pair.objects.count() == 4


def test_an_engine_that_times_out_half_way_loses_nothing(launch, server, settings):
    settings.GENERATION_ENDPOINTS["engine"]["timeout_seconds"] = 4
    answered = threading.Semaphore(5)

    def hang(handler, request, nth):
        if answered.acquire(blocking=False):
            return echo(handler, request, nth)
        server.down = True
        time.sleep(60)
        return None

    server.behave = hang
    run = worked(launch(prompts=6))
    assert run.status == run.Status.FAILED
    assert run.error_code == "endpoint_timeout" and "engine" in run.error_message
    kept = set(Response.objects.filter(comparison=run).values_list("pk", flat=True))
    assert len(kept) == 5

    server.behave, server.down, before = echo, False, len(server.asked)
    comparisons.try_again(user=run.created_by, comparison=run)
    run = worked(run)
    assert run.status == run.Status.SUCCEEDED, run.error_message
    assert len(server.asked) == before + 12 - 5
    assert kept < set(Response.objects.filter(comparison=run).values_list("pk", flat=True))
    assert Response.objects.filter(comparison=run).count() == 12


def test_a_model_that_is_not_served_is_named_with_what_is(launch, settings):
    run = launch()
    settings.GENERATION_ENDPOINTS["engine"]["models"] = {}
    run = worked(run)
    assert (run.status, run.error_code) == (run.Status.FAILED, "model_not_served")
    assert run.baseline.name in run.error_message and "tuned-served" in run.error_message


def test_a_worker_without_the_key_says_which_variable_it_lacks(launch, monkeypatch):
    monkeypatch.delenv("TEST_ENGINE_KEY")
    run = worked(launch())
    assert run.error_code == "endpoint_key" and "TEST_ENGINE_KEY" in run.error_message


def test_empty_and_huge_responses_are_stored_as_they_are(launch, server):
    def behave(handler, request, nth):
        return handler.reply_json(completion("" if about(request, 0) else "x" * 1_000_000))

    server.behave = behave
    run = worked(launch(prompts=2))
    assert run.status == run.Status.SUCCEEDED, run.error_message
    assert sorted(map(len, texts(run))) == [0, 0, 1_000_000, 1_000_000]


def test_latency_is_measured_by_streaming_one_at_a_time(launch, server):
    starts: list[float] = []

    def behave(handler, request, nth):
        if not request.get("stream"):
            return echo(handler, request, nth)
        starts.append(time.monotonic())
        return handler.stream("one two three", pause=0.1)

    server.behave = behave
    run = worked(launch(latency_prompts=3))
    assert run.status == run.Status.SUCCEEDED, run.error_message
    timings = list(run.timings.all())
    assert len(timings) == 6 and {timing.output_tokens for timing in timings} == {3}
    for timing in timings:
        assert timing.first_token_ms is not None and timing.token_ms is not None
        assert 99 < timing.first_token_ms < timing.total_ms and timing.total_ms > 299
        assert timing.token_ms <= (timing.total_ms - timing.first_token_ms) / 2 + 0.001
    # A reader that is late for one first token sees the others closer together.
    assert median(timing.token_ms for timing in timings) > 50
    # Each answer takes three pauses, so requests that came closer were asked at once.
    assert len(starts) == 6 + 2 and all(later - earlier >= 0.299 for earlier, later in pairwise(starts))
    assert run.facts["latency"]["batch_size"] == 1


def test_a_paused_run_goes_on_where_it_was(launch, server):
    server.behave = late
    run = launch(prompts=36)

    def pause():
        services.wait_until(Response.objects.filter(comparison=run).exists, what="a response")
        jobs.pause(job=run, user=run.created_by)

    thread = meanwhile(pause)
    paused = worked(run)
    thread.join()
    assert paused.status == paused.Status.PAUSED
    stored = Response.objects.filter(comparison=run).count()
    assert 0 < stored < 72
    server.behave = echo
    jobs.resume(job=paused, user=run.created_by)
    done = worked(run)
    assert done.status == done.Status.SUCCEEDED, done.error_message
    assert done.facts["responses_of_earlier_attempts"] == stored
    assert Response.objects.filter(comparison=run).count() == 72


def test_cancelling_does_not_wait_for_a_request_that_hangs(launch, server, settings):
    settings.GENERATION_ENDPOINTS["engine"]["timeout_seconds"] = 300
    asked = threading.Event()

    def hang(handler, request, nth):
        asked.set()
        time.sleep(300)

    server.behave = hang
    run = launch(prompts=30)

    def cancel():
        assert asked.wait(120)
        jobs.cancel(job=run, user=run.created_by)

    thread = meanwhile(cancel)
    began = time.monotonic()
    cancelled = worked(run)
    thread.join()
    assert cancelled.status == cancelled.Status.CANCELLED and time.monotonic() - began < 120
