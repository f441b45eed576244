"""When the broker loses its data, dies or repeats messages, the database decides and every job runs once."""

import io
import os
import re
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from celery import Celery
from django.db import connection
from django.utils import timezone

from ftplatform import queues
from ftplatform.embedded import broker, commands
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job, JobEvent
from tests import factories, services
from training.intake.checking import Wishes
from training.intake.services import imports, uploads
from training.models import DatasetImport, ModelVersion, StepMetric, TrainingRun

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


class Site:
    """A broker that can be killed and restarted, and Celery nodes started as the embedded site starts them."""

    def __init__(self, stack: ExitStack, folder: Path, nursery: str, artefacts: Path) -> None:
        self.stack, self.folder = stack, folder
        self.broker: ExitStack = ExitStack()
        self.environment = {
            **os.environ,
            "VAR_DIR": str(folder),
            "ARTEFACT_DIR": str(artefacts),
            "NURSERY": nursery,
            "TEST_DATABASE": str(connection.settings_dict["NAME"]),
            "DJANGO_SETTINGS_MODULE": "ftplatform.settings",
            "JOB_RECOVERY_SECONDS": "2",
        }

    def start_broker(self) -> None:
        server = services.guarded(broker.command(), log=self.folder / "valkey.log")
        self.broker.enter_context(server)
        services.wait_until(broker.answers, what="the broker's answer")

    def kill_broker(self) -> None:
        with broker.connect(timeout=60) as client:
            pid = int(client.info("server")["process_id"])
        os.kill(pid, 9)
        services.wait_until(lambda: not broker.answers(), what="the broker's end")
        self.broker.close()

    def start_node(
        self,
        queue: str,
        *,
        name: str = "",
        processes: int | None = None,
        beat: bool = False,
        **environment: str,
    ) -> Path:
        command = commands.worker(queue, beat=beat, name=name, python=sys.executable)
        command[command.index("ftplatform.celery")] = "tests.faults.celery_node"
        if processes:
            command[command.index("--concurrency") + 1] = str(processes)
        log = self.folder / f"{name or queue}.log"
        self.stack.enter_context(services.guarded(command, log=log, env=self.environment | environment))
        services.wait_until(
            lambda: " ready." in log.read_text(), seconds=600, what=f"the node of the queue {queue}"
        )
        return log


@pytest.fixture
def site(settings, nursery):
    """A broker and nodes on a socket of their own; the test process sends messages there too."""
    with tempfile.TemporaryDirectory(prefix="site") as name, ExitStack() as stack:
        artefacts, folder = Path(settings.ARTEFACT_DIR), Path(name)
        settings.VAR_DIR, settings.REDIS_SOCKET = folder, folder / "valkey.sock"
        settings.CELERY_BROKER_URL = f"redis+socket://{quote(str(settings.REDIS_SOCKET))}"
        site = Site(stack, folder, nursery, artefacts)
        stack.callback(lambda: site.broker.close())
        site.start_broker()
        yield site


def ring(settings, times=1, queue=queues.GPU):
    with Celery(broker=settings.CELERY_BROKER_URL) as bells:
        for _ in range(times):
            bells.send_task(queues.RUN_NEXT, args=[queue], queue=queue)


def steps(run):
    return StepMetric.objects.filter(run_id=run.pk, split="train").count()


def claims(run):
    return JobEvent.objects.filter(job_id=run.pk, message__startswith="Claimed by").count()


def finished_once(runs, seconds):
    ids = [run.pk for run in runs]
    unfinished = Job.objects.filter(pk__in=ids).exclude(status__in=Job.TERMINAL)
    services.wait_until(lambda: not unfinished.exists(), seconds=seconds, what="the end of all runs")
    for run in TrainingRun.objects.filter(pk__in=ids):
        assert (run.status, run.attempt) == (Job.Status.SUCCEEDED, 1), run.error_message
        assert claims(run) == 1 and ModelVersion.objects.filter(run=run).count() == 1
        assert [path.name for path in run.folder.glob("attempt-*")] == ["attempt-1"]


def test_jobs_finish_once_though_the_broker_is_flushed_killed_and_started_again(site, launch, settings):
    # The second run is long, so that it is still running when the broker dies.
    running, *queued = [launch(epochs=epochs) for epochs in (8.0, 16.0, 1.0)]
    site.start_node(queues.GPU)
    ring(settings)
    services.wait_until(lambda: steps(running) >= 5, seconds=600, what="some steps")
    # A busy node prefetches one message more than it works on. Of three, at least one stays in the broker.
    ring(settings, times=3)
    with broker.connect(timeout=60) as client:
        assert client.llen(queues.GPU) >= 1, "a bell waits, to be lost"
        client.flushall()
    services.wait_until(lambda: steps(queued[0]) >= 5, seconds=600, what="the second run's steps")
    site.kill_broker()
    assert Job.objects.get(pk=queued[0].pk).status == Job.Status.RUNNING
    # Stored while the broker is down. The other node's periodic tick finds the job once a broker is available
    # again.
    late = launch(epochs=1.0)
    services.wait_until(
        lambda: Job.objects.get(pk=queued[0].pk).is_finished, seconds=600, what="the end of the running one"
    )
    site.start_broker()
    with broker.connect(timeout=60) as client:
        client.flushall()
    site.start_node(queues.CPU, beat=True)
    finished_once([running, *queued, late], seconds=600)


def test_the_same_message_delivered_ten_times_at_once_makes_one_attempt(site, launch, settings):
    run = launch(epochs=1.0)
    ring(settings, times=10)
    log = site.start_node(queues.GPU, processes=5)
    finished_once([run], seconds=600)

    def received():
        return log.read_text().count(f"Task {queues.RUN_NEXT}[")

    services.wait_until(lambda: received() >= 20, what="the reception and the end of all ten")
    with broker.connect(timeout=60) as client:
        services.wait_until(lambda: client.llen(queues.GPU) == 0, what="the last bell's answer")
    assert claims(run) == 1


def test_a_message_handed_out_again_while_its_run_is_at_work_makes_no_second_attempt(site, launch, settings):
    """Redis's visibility timeout, with late acknowledgement, the setting under which it redelivers messages."""
    run = launch(epochs=100.0)
    first = site.start_node(queues.GPU, VISIBILITY_TIMEOUT="1")
    ring(settings)
    services.wait_until(lambda: steps(run) >= 3, seconds=600, what="some steps")

    def told(log, what):
        return set(re.findall(rf"Task {queues.RUN_NEXT}\[([\w-]+)\] {what}", log.read_text()))

    # A node looks for unacknowledged messages at its start, and only occasionally after that.
    second = site.start_node(queues.GPU, name="second", VISIBILITY_TIMEOUT="1")
    services.wait_until(
        lambda: told(first, "received") & told(second, "received") & told(second, "succeeded"),
        seconds=300,
        what="the second delivery of a message, and its end",
    )
    found = TrainingRun.objects.get(pk=run.pk)
    assert (found.status, found.attempt, claims(run)) == (Job.Status.RUNNING, 1, 1)
    before = steps(run)
    services.wait_until(lambda: steps(run) > before, seconds=600, what="more steps of the one attempt")
    jobs.cancel(job=Job.objects.get(pk=run.pk), user=run.created_by)
    services.wait_until(lambda: Job.objects.get(pk=run.pk).is_finished, seconds=600, what="the end")
    assert (Job.objects.get(pk=run.pk).status, claims(run)) == (Job.Status.CANCELLED, 1)


def import_that_does_not_end(settings):
    """An upload whose file is a pipe without a writer: its check blocks on the first byte."""
    settings.UPLOAD_WAIT_BYTES = 0
    owner = factories.user()
    rows = factories.jsonl(*(factories.row(id=f"r{number}") for number in range(9)))
    upload = uploads.stage(user=owner, name="long", file=io.BytesIO(rows.getvalue()), source_name="a.jsonl")
    upload.file.unlink()
    os.mkfifo(upload.file)
    job = imports.start(user=owner, upload=upload, name="long", wishes=Wishes())
    assert isinstance(job, DatasetImport)
    return job


def lost_run():
    run = factories.training_run(factories.user())
    Job.objects.filter(pk=run.pk).update(
        status=Job.Status.RUNNING,
        worker="gone:1",
        attempt=1,
        lease_expires_at=timezone.now() - timedelta(hours=1),
    )
    return run


@pytest.mark.parametrize("slots", [None, 1], ids=["as shipped", "control: a single slot"])
def test_a_lost_run_is_found_while_a_long_import_is_at_work(site, settings, slots):
    long, waiting = import_that_does_not_end(settings), import_that_does_not_end(settings)
    ring(settings, times=3, queue=queues.CPU)
    site.start_node(queues.CPU, processes=slots)
    at_work = Job.objects.filter(pk=long.pk, status=Job.Status.RUNNING)
    services.wait_until(at_work.exists, seconds=300, what="the start of the import")
    lost = lost_run()
    with Celery(broker=settings.CELERY_BROKER_URL) as bells:
        bells.send_task(queues.RECOVER, queue=queues.CPU)
    found = Job.objects.filter(pk=lost.pk, status=Job.Status.QUEUED)
    if slots is None:
        services.wait_until(found.exists, seconds=300, what="the recovery of the lost run")
        # However many messages were sent, the jobs run one at a time, so that the next tick has a free slot.
        assert Job.objects.get(pk=waiting.pk).status == Job.Status.QUEUED
    else:
        time.sleep(5)
        assert not found.exists()
    assert at_work.exists()
