"""A supervisor and a real child process: progress, cancellation, silence, crashes, lost claims."""

import os
import threading
import time
from itertools import count
from pathlib import Path

import pytest
from django.db import connections

from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from tests import factories, services
from training.models import StepMetric
from worker import runners, supervise
from worker.forecast import Pace
from worker.supervise import Attempt, Outcome

pytestmark = pytest.mark.django_db(transaction=True)

STAGE = {"event": "stage", "stage": "training"}
DONE = {"event": "done", "artefact": None, "facts": {"device": "cpu"}}


def step(number, total=4, **changes):
    measured = {
        "loss": 1.0 / number,
        "token_accuracy": 0.5,
        "learning_rate": 1e-4,
        "grad_norm": 1.0,
        "tokens": 100,
        "tokens_per_second": 50.0,
        "memory_bytes": 1000,
    }
    return {
        "event": "step",
        "step": number,
        "total_steps": total,
        "seconds": float(number),
        **measured,
    } | changes


@pytest.fixture
def claim():
    run = factories.training_run(factories.user())
    claim = jobs.claim_next(queue=run.queue, worker="test")
    assert claim is not None
    return claim


@pytest.fixture
def attempt(claim, tmp_path):
    def start(on_event=lambda events: None, **job):
        folder = tmp_path / "attempt-1"
        return Attempt(claim, "tests.worker.child", {"events": [], **job}, folder, on_event)

    return start


def is_alive(pid):
    """Whether the process runs; one that is dead and only waits for its parent does not."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def gone(pid):
    deadline = time.monotonic() + 120
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_alive(pid)


def meanwhile(work):
    """Run `work` in another thread with a connection of its own."""

    def run():
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def until_running(claim, stage):
    services.wait_until(lambda: Job.objects.get(pk=claim.job_id).stage == stage, what=f"the stage {stage}")


def test_metrics_arrive_while_the_child_works(claim, attempt):
    outcome = attempt(
        lambda events: runners._store_training(claim, events),
        events=[
            STAGE,
            {"event": "evaluation", "step": 0, "loss": 9.0, "token_accuracy": 0.1},
            step(1),
            step(2),
            DONE,
        ],
    ).run()
    assert outcome.status == Job.Status.SUCCEEDED
    stored = StepMetric.objects.filter(run_id=claim.job_id).values_list("split", "step", "loss")
    assert set(stored) == {("validation", 0, 9.0), ("train", 1, 1.0), ("train", 2, 0.5)}


def test_progress_and_time_left_reach_the_row(claim, attempt, settings, monkeypatch):
    settings.JOB_HEARTBEAT_SECONDS = 0
    reports = count(step=1.2)
    monkeypatch.setattr(supervise, "Pace", lambda: Pace(clock=lambda: next(reports)))
    attempt(events=[STAGE, step(1), step(2), DONE]).run()
    job = Job.objects.get(pk=claim.job_id)
    assert (job.step, job.total_steps) == (2, 4)
    assert job.seconds_left == pytest.approx(2 * 1.2)


@pytest.mark.parametrize("deaf", [False, True])
def test_cancellation_stops_the_child_even_if_it_does_not_listen(claim, attempt, settings, deaf):
    settings.JOB_CANCEL_GRACE_SECONDS = 1 if deaf else 120
    running = attempt(events=[STAGE], hang=True, deaf=deaf)
    owner = Job.objects.get(pk=claim.job_id).created_by

    def cancel():
        until_running(claim, "Training")
        jobs.cancel(job=Job.objects.get(pk=claim.job_id), user=owner)

    thread = meanwhile(cancel)
    outcome = running.run()
    thread.join()
    assert outcome.status == (Job.Status.FAILED if deaf else Job.Status.CANCELLED)
    jobs.finish(claim, outcome.status, error_code=outcome.code, error_message=outcome.message)
    assert Job.objects.get(pk=claim.job_id).status == Job.Status.CANCELLED


def test_a_silent_child_is_ended_and_said_to_be_stalled(attempt, settings):
    settings.JOB_LEASE_SECONDS = 5
    outcome = attempt(events=[STAGE], hang=True).run()
    assert (outcome.status, outcome.code) == (Job.Status.FAILED, "worker_stalled")


@pytest.mark.parametrize("deaf", [False, True])
def test_a_pause_stops_the_child_and_the_job_waits_paused(claim, attempt, settings, deaf):
    settings.JOB_CANCEL_GRACE_SECONDS = 1 if deaf else 120
    running = attempt(events=[STAGE], hang=True, deaf=deaf)
    owner = Job.objects.get(pk=claim.job_id).created_by

    def pause():
        until_running(claim, "Training")
        jobs.pause(job=Job.objects.get(pk=claim.job_id), user=owner)

    thread = meanwhile(pause)
    runners.guard(claim, lambda _claim: running.run())
    thread.join()
    job = Job.objects.get(pk=claim.job_id)
    assert (job.status, job.pause_requested, job.losses) == (Job.Status.PAUSED, False, 0)


def test_a_crashed_attempt_is_queued_again_and_an_explained_failure_is_not(claim, attempt):
    runners.guard(claim, lambda _claim: attempt(events=[STAGE], status=-9).run())
    job = Job.objects.get(pk=claim.job_id)
    assert (job.status, job.losses) == (Job.Status.QUEUED, 1)
    again = jobs.claim_next(queue=job.queue, worker="test")
    assert again is not None
    runners.guard(again, lambda _claim: Outcome(code="out_of_memory", message="Lower the batch size."))
    job.refresh_from_db()
    assert (job.status, job.error_code) == (Job.Status.FAILED, "out_of_memory")


def test_the_run_log_tells_the_story_and_the_child_gets_no_secrets(claim, attempt, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "canary-key")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "canary-token")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    running = attempt(events=[STAGE, step(1), DONE])
    environment = Path(f"/proc/{running._child.pid}/environ").read_bytes()
    running.run()
    assert b"canary" not in environment and b"PATH=" in environment
    assert b"HF_HUB_OFFLINE=1" in environment.split(b"\0")
    log = (tmp_path / "run.log").read_text().splitlines()
    assert [line.split("  ", 1)[1] for line in log] == [
        "Training.",
        "Step 1 of 4: loss 1.0000, token accuracy 50.0%, learning rate 1.00e-04, 50 tokens/s.",
        "Done.",
    ]


@pytest.mark.parametrize("job", [{"status": 3}, {"garbage": True}, {"events": [STAGE], "status": -9}])
def test_a_child_that_dies_without_a_word_failed(attempt, job):
    outcome = attempt(**job).run()
    assert (outcome.status, outcome.code) == (Job.Status.FAILED, "worker_crashed")
    assert ("killed from outside" in outcome.message) == (job.get("status") == -9)


def test_the_childs_own_explanation_is_kept(attempt):
    error = {"event": "error", "code": "out_of_memory", "message": "Lower the batch size."}
    outcome = attempt(events=[error], status=1).run()
    assert (outcome.code, outcome.message) == ("out_of_memory", "Lower the batch size.")


def test_a_lost_claim_ends_the_child_and_its_children(claim, attempt, tmp_path):
    pid_file = tmp_path / "grandchild"
    running = attempt(events=[STAGE, *({"event": "heartbeat"},) * 100], pause=0.2, grandchild=str(pid_file))

    def take_over():
        until_running(claim, "Training")
        Job.objects.filter(pk=claim.job_id).update(attempt=claim.attempt + 1)

    thread = meanwhile(take_over)
    with pytest.raises(jobs.StaleAttempt):
        running.run()
    thread.join()
    assert gone(int(pid_file.read_text())) and gone(running._child.pid)


def test_the_group_is_gone_after_a_normal_end_too(attempt, tmp_path):
    pid_file = tmp_path / "grandchild"
    began = time.monotonic()
    outcome = attempt(events=[DONE], grandchild=str(pid_file)).run()
    assert outcome.status == Job.Status.SUCCEEDED and time.monotonic() - began < 300
    assert gone(int(pid_file.read_text()))


def test_the_last_word_is_heard_though_it_is_read_late(attempt, monkeypatch):
    reading = Attempt._read

    def late(self):
        time.sleep(2)
        reading(self)

    monkeypatch.setattr(Attempt, "_read", late)
    assert attempt(events=[STAGE, DONE]).run().status == Job.Status.SUCCEEDED


def test_a_changed_base_model_fails_the_run_with_its_reason(claim):
    runners.train(claim)
    job = Job.objects.get(pk=claim.job_id)
    assert (job.status, job.error_code) == (Job.Status.FAILED, "model_missing")
    assert os.fspath("/nowhere") in job.error_message
