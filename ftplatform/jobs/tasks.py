"""The periodic recovery task."""

from celery import shared_task

from ftplatform import queues
from ftplatform.jobs import services


@shared_task(name=queues.RECOVER)  # type: ignore[untyped-decorator]
def recover() -> None:
    services.recover()
