"""Runs the comparisons that wait for an endpoint."""

from evaluation.models import Comparison
from ftplatform import queues
from worker.tasks import run_next


def worked(run):
    run_next(queues.ENDPOINT)
    return Comparison.objects.get(pk=run.pk)
