"""A run that is killed repeatedly ends with the same curve and the same adapter as an uninterrupted one."""

import math
import os
import random
import signal
import time
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from django.db import OperationalError
from django.utils import timezone

from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job, JobEvent
from tests import services
from tests.faults.conftest import training_pid
from training.artefacts import file_sha256
from training.models import ModelVersion, StepMetric, TrainingRun

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

# Every fourth kill includes the worker. `python -m benchmarks.kills` uses more kills and other seeds.
KILLS = int(os.environ.get("FAULT_KILLS", "6"))
SEED = int(os.environ.get("FAULT_SEED", "7"))


def finished(run, seconds=900):
    """The timeout is long on purpose: a busy machine is slow, but that is not a failure."""
    services.wait_until(
        lambda: Job.objects.get(pk=run.pk).is_finished, seconds=seconds, what=f"the end of {run.pk}"
    )
    run = TrainingRun.objects.get(pk=run.pk)
    said = "\n".join(run.events.values_list("message", flat=True))
    assert run.status == Job.Status.SUCCEEDED, f"{run.error_code}: {run.error_message}\n{said}"
    return run


def curve(run):
    names = ("split", "step", "loss", "token_accuracy", "learning_rate", "grad_norm", "tokens")
    return list(run.metrics.order_by("split", "step").values_list(*names))


def answers(run):
    return list(run.samples.values_list("step", "index", "text"))


def weights(run):
    return file_sha256(Path(ModelVersion.objects.get(run=run).path) / "adapter_model.safetensors")


def has_trained_to(run, target):
    """Whether a running process has reached this step. Metrics that an earlier attempt stored beyond its checkpoint
    have been deleted by then."""
    return training_pid(run) is not None and step(run) >= target


def step(run):
    last = StepMetric.objects.filter(run_id=run.pk, split="train").last()
    return last.step if last else 0


def is_another(run, pid):
    return training_pid(run) != pid


def until_no_process_trains(run):
    """Wait for the process to exit, which happens shortly after its last message."""
    services.wait_until(lambda: training_pid(run) is None, what="the end of the training process")


def freeze_past_its_lease(worker, run):
    """Freeze the worker between two writes, because it would otherwise keep SQLite's only lock, and wait until its
    lease expires."""
    while True:
        worker.signal(signal.SIGSTOP)
        try:
            Job.objects.filter(pk=run.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
        except OperationalError:
            worker.signal(signal.SIGCONT)
            time.sleep(0.1)
        else:
            return


def test_kills_at_random_change_nothing(launch, start_worker, record_property):
    generator = random.Random(SEED)
    # Three epochs more than the kills need, so that a late kill still interrupts the run.
    epochs = 3 + 0.6 * KILLS
    steps = math.ceil(9 * epochs)
    whole, killed = launch(epochs=epochs), launch(epochs=epochs)
    worker = start_worker()
    finished(whole)
    kills = 0
    while kills < KILLS:
        # Some attempts die before their first checkpoint, and some after one or two checkpoints.
        saved = max((each.step for each in TrainingRun.objects.get(pk=killed.pk).checkpoints), default=0)
        further = generator.randint(1, 6)
        # The kills use the first half of the steps, so that late ones still interrupt the run.
        target = saved + (further if saved <= steps / 2 * kills / KILLS else 1)
        services.wait_until(partial(has_trained_to, killed, target), seconds=900, what=f"step {target}")
        pid = training_pid(killed)
        if pid is None:
            continue
        if kills % 4 == 0:
            worker.signal(signal.SIGKILL)
            services.wait_until(
                lambda: training_pid(killed) is None, seconds=900, what="the end of the orphan"
            )
            worker = start_worker("restart")
        else:
            os.kill(pid, signal.SIGKILL)
            services.wait_until(partial(is_another, killed, pid), seconds=900, what="the end of the killed")
        kills += 1
        # Losses without progress are limited. These are caused by the test, so reset the counter.
        Job.objects.filter(pk=killed.pk).update(losses=0)
    killed = finished(killed)
    assert kills == KILLS and killed.attempt > KILLS
    assert curve(killed) == curve(whole) and len(curve(whole)) == steps + math.ceil(steps / 12) + 1
    assert answers(killed) == answers(whole)
    assert weights(killed) == weights(whole)
    resumed = [
        int(event.message.removesuffix(".").rpartition(" ")[2])
        for event in JobEvent.objects.filter(job=killed, message__startswith="Continuing from the checkpoint")
    ]
    assert len(resumed) >= KILLS // 4
    assert killed.checkpoints == []
    record_property("kills", kills)
    record_property("attempts", killed.attempt)
    record_property("steps", steps)
    record_property("resumed_from", " ".join(map(str, resumed)))


def test_pausing_and_resuming_changes_nothing(launch, start_worker):
    # Long enough that a slow pause still interrupts the run.
    whole, paused = launch(epochs=12.0), launch(epochs=12.0)
    owner = whole.created_by
    start_worker(JOB_HEARTBEAT_SECONDS="1")
    finished(whole)
    for attempt in (1, 2):
        target = step(paused) + 5
        services.wait_until(partial(has_trained_to, paused, target), seconds=900, what=f"step {target}")
        jobs.pause(job=Job.objects.get(pk=paused.pk), user=owner)
        services.wait_until(
            lambda: Job.objects.get(pk=paused.pk).status == "paused", seconds=900, what="the pause"
        )
        stopped = TrainingRun.objects.get(pk=paused.pk)
        assert stopped.attempt == attempt and stopped.checkpoints[-1].step == step(paused) < 108
        until_no_process_trains(paused)
        jobs.resume(job=Job.objects.get(pk=paused.pk), user=owner)
    paused = finished(paused)
    assert paused.attempt == 3 and paused.losses == 0
    assert curve(paused) == curve(whole) and weights(paused) == weights(whole)


def test_a_frozen_worker_that_wakes_up_can_write_nothing(launch, start_worker):
    run = launch(epochs=18.0, checkpoint_every=10)
    frozen = start_worker()
    services.wait_until(lambda: step(run) >= 12, seconds=900, what="some steps")
    old = training_pid(run)
    assert old is not None
    # Training is stopped first: it could end while the lease runs out.
    os.kill(old, signal.SIGSTOP)
    freeze_past_its_lease(frozen, run)
    start_worker()
    done = finished(run)
    before = (
        curve(done),
        weights(done),
        done.finished_at,
        list(done.events.values_list("message", flat=True)),
    )
    assert done.attempt == 2
    os.kill(old, signal.SIGCONT)
    frozen.signal(signal.SIGCONT)
    services.wait_until(
        lambda: "no longer the current one" in frozen.log.read_text(), seconds=900, what="the refusal"
    )
    done.refresh_from_db()
    after = (
        curve(done),
        weights(done),
        done.finished_at,
        list(done.events.values_list("message", flat=True)),
    )
    assert after == before and ModelVersion.objects.filter(run=done).count() == 1
    assert [metric[1] for metric in curve(done) if metric[0] == "train"] == list(range(1, 163))


def test_cancelling_while_a_checkpoint_is_written_leaves_it_whole_and_the_run_cancelled(launch, start_worker):
    run = launch(epochs=100.0, checkpoint_every=1)
    start_worker()
    services.wait_until(lambda: step(run) >= 3, seconds=900, what="some steps")
    services.wait_until(
        lambda: list(run.folder.glob("attempt-1/checkpoints/.step-*")) != [],
        seconds=900,
        what="a checkpoint being written",
    )
    jobs.cancel(job=Job.objects.get(pk=run.pk), user=run.created_by)
    services.wait_until(lambda: Job.objects.get(pk=run.pk).is_finished, seconds=900, what="the end")
    assert Job.objects.get(pk=run.pk).status == Job.Status.CANCELLED
    until_no_process_trains(run)
    assert not ModelVersion.objects.filter(run=run).exists()
    assert not list(run.folder.glob("attempt-1/checkpoints/.step-*"))
    from training import checkpoints

    whole, problems = checkpoints.newest_whole(run.folder)
    assert whole is not None and problems == []
