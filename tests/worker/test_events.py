"""Every event that a command sends is one that every reader of events understands, and only training trains."""

import ast
import io
from pathlib import Path

import pytest

import worker.ml
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from tests import factories
from training.models import StepMetric
from worker import generation, measuring, run_log, runners, tracking
from worker.ml.events import FIELDS, problem
from worker.ml.protocol import Reporter
from worker.supervise import Attempt, Outcome

SOURCES = sorted(Path(worker.ml.__file__).parent.rglob("*.py"))
FIGURE = {"step": 1, "total_steps": 4, "loss": 1.0, "token_accuracy": 0.5, "learning_rate": 1e-4}
VALUES = {
    **FIGURE,
    **{"grad_norm": 1.0, "tokens": 100, "tokens_per_second": 50.0, "memory_bytes": 1000},
    **{"stage": "training", "done": 200, "total": 450, "path": "/checkpoint-1", "facts": {}},
    **{"code": "out_of_memory", "message": "Lower the batch size."},
}
EVENTS = {kind: {"event": kind, **{name: VALUES.get(name, []) for name in FIELDS[kind]}} for kind in FIELDS}


def sent(file):
    """(kind or None where it is computed, names of its fields or None where they are) of every emit in a module."""
    for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "emit":
            kind = call.args[0].value if isinstance(call.args[0], ast.Constant) else None
            names = [keyword.arg for keyword in call.keywords]
            yield kind, None if None in names else set(names)


def test_every_kind_that_is_sent_is_listed_with_its_fields_and_every_listed_one_is_sent():
    found = [each for file in SOURCES for each in sent(file)]
    for kind, fields in found:
        assert kind is None or kind in FIELDS
        assert kind is None or fields is None or fields >= set(FIELDS[kind]), kind
    computed = {"responses", "timings", "failures"}
    assert {kind for kind, _ in found} - {None} | computed == set(FIELDS)


def test_only_the_training_recorder_sends_a_step():
    senders = {kind: {file.name for file in SOURCES if kind in dict(sent(file))} for kind in FIELDS}
    assert senders["step"] == senders["evaluation"] == senders["checkpoint"] == {"recorder.py"}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [("step", {"step": 200, "total_steps": 450}), ("progress", {"done": 1}), ("was quiet", {})],
)
def test_an_event_that_is_not_of_the_protocol_is_not_sent(kind, fields):
    stream = io.StringIO()
    with pytest.raises(ValueError, match="protocol"):
        Reporter(stream).emit(kind, **fields)
    assert not stream.getvalue()


@pytest.mark.parametrize("event", [[], "step", None, {}, {"event": []}, {"event": {}}, {"event": "steps"}])
def test_what_is_no_event_is_told_apart(event):
    assert problem(event)


def test_the_run_log_has_a_sentence_for_each_and_counts_rows_without_a_loss():
    lines = {kind: run_log.lines_of([event]) for kind, event in EVENTS.items()}
    assert lines["progress"] == ["200 of 450 done."]
    assert lines["cancelled"] == ["Stopped on request."]
    assert run_log.lines_of([EVENTS["cancelled"] | {"step": 3}]) == ["Stopped after step 3 on request."]
    assert {kind for kind, told in lines.items() if not told} == {
        "heartbeat",
        "history",
        "facts",
        "timings",
        "failures",
    }


@pytest.fixture
def claim(db):
    run = factories.training_run(factories.user())
    made = jobs.claim_next(queue=run.queue, worker="test")
    assert made is not None
    return made


@pytest.mark.parametrize("kind", sorted(set(FIELDS) - {"samples", "facts"}))
def test_each_reader_takes_each_event_and_only_training_figures_are_stored(claim, tmp_path, kind):
    event = EVENTS[kind]
    attempt = Attempt(
        claim, "tests.worker.child", {"events": []}, tmp_path / "attempt-1", lambda _events: None
    )
    attempt._take(event, Outcome())
    attempt._kill()
    measuring._note(claim, [event])
    runners._note_stages(claim, [event])
    generation._store(claim, [event])
    tracking._metrics(event)
    runners._store_training(claim, [event])
    assert StepMetric.objects.count() == (kind in ("step", "evaluation"))


@pytest.mark.django_db(transaction=True)
def test_progress_reaches_the_row_and_what_is_no_event_is_left_out(tmp_path, settings):
    settings.JOB_HEARTBEAT_SECONDS = 0
    run = factories.training_run(factories.user())
    claim = jobs.claim_next(queue=run.queue, worker="test")
    assert claim is not None
    broken = {"event": "step", "step": 200, "total_steps": 450}
    events = [EVENTS["stage"], broken, {"no": "event"}, EVENTS["progress"], EVENTS["done"]]
    taken: list[str] = []
    outcome = Attempt(
        claim,
        "tests.worker.child",
        {"events": events},
        tmp_path / "attempt-1",
        lambda batch: taken.extend(each["event"] for each in batch),
    ).run()
    assert outcome.status == Job.Status.SUCCEEDED
    assert taken == ["stage", "progress", "done"]
    job = Job.objects.get(pk=claim.job_id)
    assert (job.step, job.total_steps) == (200, 450)
