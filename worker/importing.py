"""One attempt of an import: check every row of a large upload, in the worker's own process."""

from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from training.intake.services import imports
from worker.progress import Progress, Stopped
from worker.runners import guard
from worker.supervise import Outcome


def import_file(claim: jobs.Claim) -> None:
    guard(claim, _import)


def _import(claim: jobs.Claim) -> Outcome:
    try:
        dataset = imports.run(claim, Progress(claim))
    except Stopped:
        return Outcome(status=Job.Status.CANCELLED, message="The check was stopped; nothing was stored")
    jobs.note(claim, f"{dataset} is stored: {dataset.rows:,} rows.")
    return Outcome(status=Job.Status.SUCCEEDED, message="")
