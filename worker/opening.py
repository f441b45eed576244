"""One attempt to open a large campaign, in the worker's own process."""

from evaluation.review.services import openings
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from worker.progress import Progress, Stopped
from worker.runners import guard
from worker.supervise import Outcome


def open_campaign(claim: jobs.Claim) -> None:
    guard(claim, _open)


def _open(claim: jobs.Claim) -> Outcome:
    try:
        opened = openings.run(claim, Progress(claim))
    except Stopped:
        return Outcome(
            status=Job.Status.CANCELLED, message="The opening was stopped; the campaign is a draft"
        )
    jobs.note(claim, f"{opened} is open: {opened.pairs_planned:,} pairs.")
    return Outcome(status=Job.Status.SUCCEEDED, message="")
