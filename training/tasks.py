"""Scheduled maintenance."""

from celery import shared_task

from ftplatform import queues
from training.intake.services import uploads


@shared_task(name=queues.SWEEP_UPLOADS)  # type: ignore[untyped-decorator]
def sweep_uploads() -> None:
    uploads.sweep()
