"""Downloads, conversions and verifications of models. They only handle files, so they use the `cpu` queue."""

from pathlib import Path

from django.conf import settings

from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from training.registry.services import model_jobs, models
from worker.runners import guard
from worker.supervise import Attempt, Event, Outcome


def download(claim: jobs.Claim) -> None:
    guard(claim, _download)


def convert(claim: jobs.Claim) -> None:
    guard(claim, _convert)


def verify(claim: jobs.Claim) -> None:
    guard(claim, _verify)


def _download(claim: jobs.Claim) -> Outcome:
    job = model_jobs.begin_attempt(claim)
    repository, _, commit = job.reference.partition("@")
    target = Path(settings.ARTEFACT_DIR) / "models" / repository.replace("/", "--") / commit
    target.parent.mkdir(parents=True, exist_ok=True)

    wanted = {"repository": repository, "commit": commit, "target": str(target)}
    outcome = Attempt(
        claim,
        "worker.ml.download",
        wanted,
        job.folder / f"attempt-{claim.attempt}",
        lambda events: _note(claim, events),
    ).run()
    if outcome.status == Job.Status.SUCCEEDED:
        model_jobs.complete_download(claim, job=job, path=outcome.done["artefact"])
    return outcome


def _convert(claim: jobs.Claim) -> Outcome:
    job = model_jobs.begin_attempt(claim)
    target = Path(settings.ARTEFACT_DIR) / "models" / "gguf" / str(job.pk)
    target.parent.mkdir(parents=True, exist_ok=True)
    wanted = {"file": job.reference, "target": str(target)}
    outcome = Attempt(
        claim,
        "worker.ml.convert",
        wanted,
        job.folder / f"attempt-{claim.attempt}",
        lambda events: _note(claim, events),
    ).run()
    if outcome.status == Job.Status.SUCCEEDED:
        done = outcome.done
        model_jobs.complete_conversion(
            claim, job=job, path=done["artefact"], precision=done["facts"]["precision"]
        )
    return outcome


def _note(claim: jobs.Claim, events: list[Event]) -> None:
    for event in events:
        if event["event"] == "stage":
            jobs.note(claim, f"{str(event['stage']).capitalize()}.")


def _verify(claim: jobs.Claim) -> Outcome:
    """Compare every file with its hash. The process that hashes gives the signs of life."""
    job = model_jobs.begin_attempt(claim)
    if job.model is None:
        raise DomainError("no_files", "The model is gone.")
    kind = "folder" if job.model.kind != job.model.Kind.ADAPTER else "artefact"
    wanted = {"folder": job.model.path, "kind": kind, "sha256": job.model.weights_hash}
    attempt = Attempt(
        claim, "worker.ml.verify", wanted, job.folder / f"attempt-{claim.attempt}", lambda events: None
    )
    outcome = attempt.run()
    if outcome.status == Job.Status.SUCCEEDED:
        models.mark_verified(claim, job.model)
    return outcome
