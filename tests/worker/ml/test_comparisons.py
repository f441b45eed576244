"""Whole comparisons on the demo model with real worker processes, killed on the way."""

import os
import signal
from contextlib import suppress

import psutil  # type: ignore[import-untyped]
import pytest
from django.urls import reverse

from evaluation.comparison.services import comparisons, responses
from evaluation.models import Comparison, Pair, Response
from ftplatform import queues
from ftplatform.jobs.models import Job
from ftplatform.text.numbers import milliseconds
from tests import factories, services
from tests.evaluation.comparison.test_seed_report import visible
from tests.worker.ml.conftest import BASE
from tests.worker.test_supervise import meanwhile
from training.config import DecodingConfig
from training.registry.services import models
from worker.tasks import run_next

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
PROMPTS = 10


@pytest.fixture
def launch(trained, cases):
    owner = factories.user()
    base = models.register_base(user=owner, name="tiny", path=str(BASE))
    candidates = [factories.adapter(owner, base=base, path=str(trained[0])) for _ in range(2)]
    prompt_set = factories.prompt_set(owner, PROMPTS)
    for prompt, row in zip(prompt_set.prompts.all(), cases[32:], strict=False):
        prompt.instruction, prompt.input, prompt.expected = row["instruction"], row["input"], row["output"]
        prompt.save()

    def start(count=1, **decoding):
        values = {"max_new_tokens": 48, "batch_size": 4, "latency_prompts": 2} | decoding
        return comparisons.launch(
            user=owner,
            name="run",
            prompt_set=prompt_set,
            candidates=candidates[:count],
            decoding=DecodingConfig(**values),
        )

    return start


def worked(run):
    """Let a worker take it until it ends; a lost process is a failure or a new place in the queue."""
    while True:
        run_next(queues.GPU)
        run = Comparison.objects.get(pk=run.pk)
        if run.is_finished:
            return run


def texts(run):
    rows = Response.objects.filter(comparison=run).select_related("prompt")
    return {(row.prompt.key, row.model_id, row.sample): row.text for row in rows}


def kill_after(run, stored):
    """SIGKILL the generating process once so many responses are stored; returns their ids."""
    services.wait_until(
        lambda: Response.objects.filter(comparison=run).count() >= stored,
        seconds=600,
        what=f"{stored} responses",
    )
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # others come and go
            if "worker.ml.generate" in child.cmdline():
                os.kill(child.pid, signal.SIGKILL)


def test_a_run_that_is_killed_twice_is_the_run_that_was_not(launch):
    """J4 with sampling: no gap, no double, and every text is what it would have been."""
    decoding = {"temperature": 1.0, "samples": 2, "batch_size": 3}
    calm = worked(launch(**decoding))
    assert calm.status == calm.Status.SUCCEEDED, calm.error_message

    run = launch(**decoding)
    for stored in (1, 15):
        thread = meanwhile(lambda stored=stored: kill_after(run, stored))
        run_next(queues.GPU)
        thread.join()
        kept = dict(Response.objects.filter(comparison=run).values_list("pk", "text"))
        assert stored <= len(kept) < PROMPTS * 2 * 2
        if Comparison.objects.get(pk=run.pk).status == Job.Status.FAILED:
            comparisons.try_again(user=run.created_by, comparison=run)
    run = worked(run)
    assert run.status == run.Status.SUCCEEDED, run.error_message
    assert run.attempt == 3 and run.facts["responses_of_earlier_attempts"] == len(kept)
    assert kept.items() <= dict(Response.objects.filter(comparison=run).values_list("pk", "text")).items()
    assert texts(run) == texts(calm)
    assert Pair.objects.filter(comparison=run).count() == PROMPTS * 2
    assert run.timings.count() == calm.timings.count() == 2 * 2


def test_the_guards_of_a_resumed_run_are_needed(launch, monkeypatch):
    """Negative controls: an attempt that forgets what is there makes no doubles, one that forgets what is missing
    makes no pairs."""
    run = worked(launch(latency_prompts=0))
    before = dict(Response.objects.filter(comparison=run).values_list("pk", "text"))
    Pair.objects.filter(comparison=run).delete()
    lost = Response.objects.filter(comparison=run, model=run.candidate).first()
    assert lost is not None
    lost.delete()
    everything = responses.remaining(launch())[0]
    for pretended, code in (([], "incomplete"), (everything, "")):
        Job.objects.filter(pk=run.pk).update(status="queued", finished_at=None)
        monkeypatch.setattr(responses, "remaining", lambda run, pretended=pretended: (pretended, []))
        run = worked(run)
        assert run.error_code == code
    after = dict(Response.objects.filter(comparison=run).values_list("pk", "text"))
    assert len(after) == len(before) == PROMPTS * 2 and len(after.keys() & before.keys()) == len(before) - 1


def test_two_candidates_are_measured_alone_in_turn_and_alike(launch, client):
    run = worked(launch(count=2, latency_prompts=4))
    assert run.status == run.Status.SUCCEEDED, run.error_message
    assert Pair.objects.filter(comparison=run).count() == PROMPTS * 2
    one, other = (
        {r.prompt_id: r.text for r in Response.objects.filter(comparison=run, model=model)}
        for model in run.candidates
    )
    assert one == other
    timings = list(run.timings.all())
    assert [timing.place for timing in timings] == list(range(12))
    assert {timing.model_id for timing in timings} == {model.pk for model in run.model_versions}
    by_response = {(r.prompt_id, r.model_id): r for r in Response.objects.filter(comparison=run)}
    for timing in timings:
        assert timing.first_token_ms is not None and 0 < timing.first_token_ms <= timing.total_ms
        response = by_response[timing.prompt_id, timing.model_id]
        assert (timing.output_tokens, timing.input_tokens) == (response.output_tokens, response.input_tokens)
    firsts = [timing.model_id for timing in timings[::3]]
    assert len(set(firsts)) > 1
    assert run.facts["latency"] | {"adapter": None} == {
        "batch_size": 1,
        "warm_up": "every model, twice",
        "order": "the models in random order for every prompt",
        "cache": "keys and values of the response itself; no prompt was in a cache before",
        "adapter": None,
    }
    assert run.facts["latency"]["adapter"][str(run.baseline_id)] == "none"
    assert {"device_name", "dtype", "quantisation", "merge_state", "batch_size", "batching"} <= set(run.facts)
    assert_one_case_reads_alike(client, run)


def assert_one_case_reads_alike(client, run):
    """The report of one held-out case, from what was really generated: page, API and Markdown say the same."""
    client.force_login(run.created_by)
    pair = run.pairs.filter(prompt__in=run.timings.values("prompt"), candidate_model=run.candidate).earliest(
        "pk"
    )
    found = client.get(f"/api/v1/comparisons/{run.pk}/pairs/{pair.pk}/").json()
    markdown = client.get(reverse("evaluation:pair_file", args=[run.pk, pair.pk, "md"])).content.decode()
    page = visible(client.get(reverse("evaluation:pair", args=[run.pk, pair.pk])))
    assert found["times"]["note"] == "one request at a time" and set(found["stream"]) >= {
        "total_ms",
        "token_ms",
    }
    for side in ("baseline", "candidate"):
        made = found[side]
        assert made["text"] and made["text"] in markdown
        assert f"{made['input_tokens']:,} input, {made['output_tokens']:,} output" in page
        for name in ("total_ms", "token_ms"):
            said = milliseconds(found["stream"][name][side])
            assert said in markdown and said in page, name
    assert {row["field"] for row in found["fields"]} == set(found["prompt"]["expected"])
    assert (
        ("Shorter is not faster" in markdown)
        == ("Shorter is not faster" in page)
        == bool(found["latency_trap"])
    )
