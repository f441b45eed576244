"""Measuring datasets of every size through the worker: a real process, a real tokenizer, the real database."""

import pytest

from ftplatform import queues
from ftplatform.jobs.models import Job
from tests import factories
from training.intake.services import datasets
from training.models import StepMetric
from training.registry.services import models
from training.runs.services import measurements
from worker import supervise
from worker.demo.stages import BASE_FOLDER
from worker.tasks import run_next

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def owner():
    return factories.user()


def dataset(owner, rows):
    """Every tenth row validates, so that the smallest dataset has one row in each split."""
    content = factories.jsonl(
        *(
            factories.row(id=f"r{n}", input=f"Question {n}?", split="train" if n % 10 else "validation")
            for n in range(rows)
        )
    )
    return datasets.create(user=owner, name="cases", file=content, source_name="cases.jsonl")


def measured(owner, rows):
    base = models.register_base(user=owner, name="tiny", path=str(BASE_FOLDER))
    job = measurements.launch(user=owner, dataset=dataset(owner, rows), base_model=base)
    run_next(queues.CPU)
    job.refresh_from_db()
    return job


@pytest.mark.parametrize("rows", [2, 199, 200, 450, 3000])
def test_a_dataset_of_any_size_is_measured(owner, rows):
    job = measured(owner, rows)
    assert (job.status, job.error_code) == (Job.Status.SUCCEEDED, ""), job.error_message
    counted = [number for split in job.result["splits"].values() for _, number in split["counts"]]
    assert sum(counted) == job.dataset.rows == rows
    assert not StepMetric.objects.exists()


def test_progress_is_counted_in_rows(owner, monkeypatch, settings):
    settings.JOB_HEARTBEAT_SECONDS = 0
    reported: list[tuple[int, int]] = []
    advance = supervise.Attempt._advance

    def watched(self, done, total):
        reported.append((done, total))
        advance(self, done, total)

    monkeypatch.setattr(supervise.Attempt, "_advance", watched)
    job = measured(owner, 450)
    assert reported == [(200, 450), (400, 450)]
    assert (job.step, job.total_steps) == (400, 450)
