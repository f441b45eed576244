"""Background tasks of the evaluation app."""

from uuid import UUID

from celery import shared_task

from evaluation.comparison.services import figures
from evaluation.review.services import invitations
from ftplatform import queues


@shared_task(name=queues.SEND_INVITATIONS)  # type: ignore[untyped-decorator]
def send_invitations(campaign: str, base_url: str) -> None:
    invitations.send(campaign_id=UUID(campaign), base_url=base_url)


@shared_task(name=queues.WORK_OUT)  # type: ignore[untyped-decorator]
def work_out(comparison: str) -> None:
    figures.work_out(comparison_id=UUID(comparison))
