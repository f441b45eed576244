"""Names of queues and tasks, and functions that wake workers after commit.

A message only says "look at the database", which holds the truth. A lost message costs at most one recovery interval
and a duplicate one empty check, so a broker that is down must not fail the request that has already stored the work.
"""

import logging

from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

from ftplatform.celery import app
from ftplatform.errors import DomainError

GPU = "gpu"
CPU = "cpu"
ENDPOINT = "endpoint"
RUN_NEXT = "worker.run_next"
RECOVER = "jobs.recover"
SEND_INVITATIONS = "evaluation.send_invitations"
SWEEP_UPLOADS = "training.sweep_uploads"
WORK_OUT = "evaluation.work_out"

log = logging.getLogger(__name__)


def ring(queue: str) -> None:
    """Ask the workers of `queue` to look for a queued job now."""
    try:
        app.send_task(
            RUN_NEXT, args=[queue], queue=queue, retry=False, expires=10 * settings.JOB_RECOVERY_SECONDS
        )
    except OperationalError as error:
        log.warning(
            "The broker did not take the bell for %s (%s); the recovery tick will ring again.", queue, error
        )


def ring_on_commit(queue: str) -> None:
    """Call `ring` once the current transaction has committed, so that a worker never looks too early."""
    transaction.on_commit(lambda: ring(queue))


def send_invitations(campaign: str, base_url: str) -> None:
    """Ask a worker to send the invitations that wait in the database."""
    _ask(SEND_INVITATIONS, [campaign, base_url])


def work_out(run: str) -> None:
    """Ask a worker to compute the figures of a comparison that has none."""
    _ask(WORK_OUT, [run])


def _ask(task: str, args: list[str]) -> None:
    """Send work that is not sent again automatically. If the request is lost, the user presses the button again."""
    try:
        app.send_task(task, args=args, queue=CPU, retry=False, expires=3600)
    except OperationalError as error:
        log.warning("The broker did not take the request %s (%s).", task, error)
        raise DomainError(
            "no_worker", "The workers cannot be reached just now; nothing was sent. Please try again."
        ) from error
