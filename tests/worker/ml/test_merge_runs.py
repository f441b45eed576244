"""A merge as a worker does it, whose process is killed on the way."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from ftplatform.jobs.models import Job
from tests import factories, services
from tests.worker.ml.conftest import BASE
from tests.worker.test_supervise import meanwhile
from training.artefacts import verify
from training.models import ModelVersion
from training.registry.services import merges, models
from worker.tasks import run_next

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def kill_at_work(job):
    services.wait_until(
        lambda: Job.objects.get(pk=job.pk).stage not in ("", "Starting"),
        seconds=600,
        what="the merge's start",
    )
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # others come and go
            if "worker.ml.merge" in child.cmdline():
                os.kill(child.pid, signal.SIGKILL)


def test_a_merge_whose_process_is_killed_is_made_by_the_next_attempt_once(trained):
    owner = factories.user()
    base = models.register_base(user=owner, name="tiny", path=str(BASE))
    adapter = factories.adapter(owner, base=base, path=str(trained[0]))
    job = merges.launch(user=owner, adapter=adapter)
    queue = Job.objects.get(pk=job.pk).queue
    thread = meanwhile(lambda: kill_at_work(job))
    run_next(queue)
    thread.join()
    killed = Job.objects.get(pk=job.pk)
    assert (killed.status, killed.losses) == (Job.Status.QUEUED, 1)
    assert not ModelVersion.objects.filter(source=adapter).exists()
    run_next(queue)
    job.refresh_from_db()
    assert (job.status, job.attempt) == (Job.Status.SUCCEEDED, 2), job.error_message
    merged = ModelVersion.objects.get(source=adapter)
    assert Path(merged.path).parent.name == "attempt-2"
    verify(Path(merged.path))
