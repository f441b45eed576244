"""One attempt of a measurement: run a base model's tokenizer on a dataset."""

from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from training import integrity
from training.runs.services import measurements
from worker.runners import guard
from worker.supervise import Attempt, Event, Outcome


def measure(claim: jobs.Claim) -> None:
    guard(claim, _measure)


def _measure(claim: jobs.Claim) -> Outcome:
    measurement = measurements.begin_attempt(claim)
    integrity.check_unchanged(measurement.base_model)
    dataset = measurement.dataset
    splits = ["train", "validation", *(["test"] if dataset.test_rows else [])]
    job = {
        "base_model": measurement.base_model.path,
        "files": {split: str(dataset.split_file(split)) for split in splits},
        "rows": dataset.rows,
    }
    folder = measurement.folder / f"attempt-{claim.attempt}"
    outcome = Attempt(claim, "worker.ml.measure", job, folder, lambda events: _note(claim, events)).run()
    if outcome.status == Job.Status.SUCCEEDED:
        measurements.complete(claim, outcome.done["result"])
    return outcome


def _note(claim: jobs.Claim, events: list[Event]) -> None:
    for event in events:
        if event["event"] == "stage":
            jobs.note(claim, f"{str(event['stage']).capitalize()}.")
