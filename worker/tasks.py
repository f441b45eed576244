"""The task behind a wake-up message: claim the next job of the queue, run it, and store the result."""

import os
import socket

from celery import shared_task

from ftplatform import queues
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from worker import importing, measuring, model_jobs, opening, runners

RUNNERS = {
    Job.Kind.TRAINING: runners.train,
    Job.Kind.GENERATION: runners.generate,
    Job.Kind.DOWNLOAD: model_jobs.download,
    Job.Kind.CONVERSION: model_jobs.convert,
    Job.Kind.VERIFICATION: model_jobs.verify,
    Job.Kind.MEASUREMENT: measuring.measure,
    Job.Kind.IMPORT: importing.import_file,
    Job.Kind.MERGE: runners.merge,
    Job.Kind.OPENING: opening.open_campaign,
}


@shared_task(name=queues.RUN_NEXT)  # type: ignore[untyped-decorator]
def run_next(queue: str) -> None:
    """Run at most one job, then wake the workers again: more may be waiting. A superfluous message does no harm.

    The jobs of the cpu queue run one at a time on a machine, although its node has slots for more tasks. Those slots
    are for the recovery task, which must not wait for a long job. Each job wakes the next when it ends.
    """
    machine = f"{socket.gethostname()}:"
    claim = jobs.claim_next(
        queue=queue, worker=f"{machine}{os.getpid()}", alone_on=machine if queue == queues.CPU else ""
    )
    if claim is None:
        return
    kind = Job.objects.values_list("kind", flat=True).get(pk=claim.job_id)
    try:
        RUNNERS[Job.Kind(kind)](claim)
    finally:
        queues.ring(queue)
