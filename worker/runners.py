"""One attempt of each kind of job: prepare its file, follow its process, store what it made."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from django.db import OperationalError

from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from training.artefacts import ArtefactError, verify
from training.services import models, runs
from worker import generation
from worker.supervise import Attempt, Event, Outcome

log = logging.getLogger(__name__)


def train(claim: jobs.Claim) -> None:
    guard(claim, _train)


def generate(claim: jobs.Claim) -> None:
    guard(claim, generation.run_attempt)


def guard(claim: jobs.Claim, work: Callable[[jobs.Claim], Outcome]) -> None:
    """Every attempt ends with a status that says why, unless another attempt has taken the job over.

    A database that is away is the one thing left to the lease: nothing could be written anyway.
    """
    try:
        try:
            outcome = work(claim)
        except (jobs.StaleAttempt, OperationalError):
            raise
        except (DomainError, ArtefactError) as error:
            outcome = Outcome(code=error.code, message=str(error))
        except OSError as error:
            outcome = Outcome(
                code="worker_files", message=f"The worker could not use its files: {error.strerror}."
            )
        except Exception as error:
            log.exception("The attempt %s ended unexpectedly.", claim)
            outcome = Outcome(
                code="internal", message=f"Unexpected {type(error).__name__}; see the worker's log."
            )
        jobs.finish(claim, outcome.status, error_code=_code(outcome), error_message=outcome.message)
    except jobs.StaleAttempt as error:
        log.warning("%s", error)


def _code(outcome: Outcome) -> str:
    return outcome.code if outcome.status == Job.Status.FAILED else ""


def _train(claim: jobs.Claim) -> Outcome:
    start = runs.begin_attempt(claim)
    run = start.run
    models.check_unchanged(run.base_model)
    folder = run.folder / f"attempt-{claim.attempt}"
    _drop_checkpoints(run.folder)
    job = {
        "base_model": run.base_model.path,
        "train_file": str(run.dataset.split_file("train")),
        "validation_file": str(run.dataset.split_file("validation")),
        "output_dir": str(folder / "adapter"),
        "config": run.config,
        "resume_from": str(start.checkpoint) if start.checkpoint else None,
    }
    outcome = Attempt(
        claim, "worker.ml.train", job, folder, lambda events: _store_metrics(claim, events)
    ).run()
    _drop_checkpoints(run.folder)
    if outcome.status == Job.Status.SUCCEEDED:
        artefact = Path(outcome.done["artefact"])
        facts = verify(artefact)
        models.add_adapter(
            claim=claim,
            run=run,
            path=str(artefact),
            weights_hash=outcome.done["facts"]["manifest_sha256"],
            facts=facts,
        )
    return outcome


def _drop_checkpoints(folder: Path) -> None:
    """Every attempt starts from the first step, so what an earlier one had saved on its way only fills the disk."""
    for checkpoints in folder.glob("attempt-*/.*.checkpoints"):
        shutil.rmtree(checkpoints, ignore_errors=True)


def _store_metrics(claim: jobs.Claim, events: list[Event]) -> None:
    metrics = []
    for event in events:
        if event["event"] == "step":
            names = ("step", "loss", "token_accuracy", "learning_rate", "grad_norm", "tokens")
            metrics.append({"split": "train", **{name: event[name] for name in names}})
        elif event["event"] == "evaluation":
            metrics.append(
                {"split": "validation", **{name: event[name] for name in ("step", "loss", "token_accuracy")}}
            )
        elif event["event"] == "stage":
            jobs.note(claim, f"{str(event['stage']).capitalize()}.")
    if metrics:
        runs.record_metrics(claim, metrics)
