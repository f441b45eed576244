"""One attempt of each kind of job: prepare its job file, follow its process, store the result."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import OperationalError

from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from training import checkpoints, integrity, model_folder
from training.artefacts import ArtefactError, verify
from training.models import TrainingRun
from training.registry.services import merges, models
from training.runs.services import runs
from worker import generation, tracking
from worker.supervise import Attempt, Event, Outcome

log = logging.getLogger(__name__)
_EVALUATION = ("step", "loss", "token_accuracy")
_STEP = (*_EVALUATION, "learning_rate", "grad_norm", "tokens", "tokens_per_second", "memory_bytes")


def train(claim: jobs.Claim) -> None:
    guard(claim, _train)


def generate(claim: jobs.Claim) -> None:
    guard(claim, generation.run_attempt)


def merge(claim: jobs.Claim) -> None:
    guard(claim, _merge)


def guard(claim: jobs.Claim, work: Callable[[jobs.Claim], Outcome]) -> None:
    """Run `work` and end the attempt with a status that says why, unless another attempt has taken the job over.

    Only a database failure is left to the lease: nothing could be written anyway.
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
        if outcome.is_lost:
            jobs.give_back(claim, error_code=outcome.code, message=outcome.message)
        else:
            jobs.finish(claim, outcome.status, error_code=_code(outcome), error_message=outcome.message)
    except jobs.StaleAttempt as error:
        log.warning("%s", error)


def _code(outcome: Outcome) -> str:
    return outcome.code if outcome.status == Job.Status.FAILED else ""


def _train(claim: jobs.Claim) -> Outcome:
    start = runs.begin_attempt(claim)
    run = start.run
    integrity.check_unchanged(run.base_model)
    folder = run.folder / f"attempt-{claim.attempt}"
    job = {
        "base_model": run.base_model.path,
        "train_file": str(run.dataset.split_file("train")),
        "validation_file": str(run.dataset.split_file("validation")),
        "output_dir": str(folder / "adapter"),
        "config": run.config,
        "resume_from": str(start.checkpoint) if start.checkpoint else None,
        "date": _first_day(run),
    }
    with tracking.mirrored(run, lambda message: jobs.note(claim, message)) as mirror:

        def take(events: list[Event]) -> None:
            _store_training(claim, events)
            mirror(events)

        outcome = Attempt(claim, "worker.ml.train", job, folder, take).run()
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
        checkpoints.remove_all(run.folder)
    return outcome


def _first_day(run: TrainingRun) -> str:
    """The day on which the first run of a chain of retries from checkpoints was launched."""
    while run.from_step and run.retry_of is not None:
        run = run.retry_of
    return run.created_at.date().isoformat()


def _store_training(claim: jobs.Claim, events: list[Event]) -> None:
    metrics = [metric for event in events for metric in _metrics(event)]
    if metrics:
        runs.record_metrics(claim, metrics)
    for event in events:
        if event["event"] == "samples":
            runs.record_samples(claim, event["step"], event["samples"])
        elif event["event"] == "checkpoint":
            runs.record_checkpoint(claim)
        elif event["event"] == "stage":
            jobs.note(claim, f"{str(event['stage']).capitalize()}.")


def _metrics(event: Event) -> list[dict[str, Any]]:
    """The rows of StepMetric in an event; `history` repeats those of earlier attempts."""
    if event["event"] == "step":
        return [{"split": "train", **{name: event[name] for name in _STEP}}]
    if event["event"] == "evaluation":
        return [{"split": "validation", **{name: event[name] for name in _EVALUATION}}]
    if event["event"] == "history":
        steps = [{"event": "step", **step} for step in event["steps"]]
        evaluations = [{"event": "evaluation", **each} for each in event["evaluations"]]
        return [metric for each in steps + evaluations for metric in _metrics(each)]
    return []


def _merge(claim: jobs.Claim) -> Outcome:
    run = merges.begin_attempt(claim)
    adapter = run.adapter
    if adapter.base is None:
        raise DomainError("not_an_adapter", f"{adapter} has no base to merge it into.")
    integrity.check_unchanged(adapter.base)
    folder = run.folder / f"attempt-{claim.attempt}"
    rows = adapter.run.dataset.split_file("validation") if adapter.run else None
    job = {
        "base_model": adapter.base.path,
        "adapter": adapter.path,
        "rows_file": str(rows) if rows else None,
        "output_dir": str(folder / "merged"),
    }
    outcome = Attempt(claim, "worker.ml.merge", job, folder, lambda events: _note_stages(claim, events)).run()
    if outcome.status == Job.Status.SUCCEEDED:
        artefact = Path(outcome.done["artefact"])
        facts = verify(artefact)
        digest = model_folder.inspect(artefact).weights_hash
        merges.complete(claim, run=run, path=str(artefact), weights_hash=digest, facts=facts)
    return outcome


def _note_stages(claim: jobs.Claim, events: list[Event]) -> None:
    for event in events:
        if event["event"] == "stage":
            jobs.note(claim, f"{str(event['stage']).capitalize()}.")
