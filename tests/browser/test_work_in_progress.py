"""axe-core on pages that a walk by links does not meet: work in progress, and runs side by side."""

import io

import pytest
from django.test import Client
from django.urls import reverse

from evaluation.review.services import campaigns, openings
from ftplatform.jobs.models import Job
from tests import factories
from tests.browser.test_accessibility import complaints, opened
from training.intake.checking import Wishes
from training.intake.services import imports, uploads
from training.models import DatasetImport, StepMetric

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def measured_run(admin, **fields):
    run = factories.training_run(admin, **fields)
    StepMetric.objects.bulk_create(
        StepMetric(
            run=run, split=split, step=step, loss=2 / (step + 1), token_accuracy=0.5, tokens_per_second=900.0
        )
        for split in ("train", "validation")
        for step in range(1, 6)
    )
    return run


def check_at_work(admin):
    """A large upload whose check is at half."""
    rows = factories.jsonl(*(factories.row(id=f"r{number}") for number in range(9)))
    upload = uploads.stage(user=admin, name="cases", file=io.BytesIO(rows.getvalue()), source_name="a.jsonl")
    job = imports.start(user=admin, upload=upload, name="cases", wishes=Wishes())
    assert isinstance(job, DatasetImport)
    working = {"stage": "Checking every row", "step": 500, "total_steps": 1000, "seconds_left": 90.0}
    Job.objects.filter(pk=job.pk).update(status=Job.Status.RUNNING, **working)
    return upload


def opening_at_work(admin):
    """A large campaign whose opening has begun to search the responses."""
    run = factories.comparison(admin, 6)
    campaign = campaigns.create(
        user=admin, title="Large", comparison=run, rubric_text=factories.RUBRIC, overlap=2, pairs=4
    )
    openings.start(campaign=campaign, user=admin)
    working = {"stage": "Searching the responses", "step": 250, "total_steps": 1000, "seconds_left": 30.0}
    Job.objects.filter(kind=Job.Kind.OPENING).update(status=Job.Status.RUNNING, **working)
    return campaign


def addresses(admin, settings):
    settings.UPLOAD_WAIT_BYTES = settings.OPENING_WAIT_PAIRS = 0
    campaign = opening_at_work(admin)
    live, other = (measured_run(admin, name=name) for name in ("live", "other"))
    Job.objects.filter(pk=live.pk).update(status=Job.Status.RUNNING, stage="Training", step=5, total_steps=9)
    return {
        "a live run": reverse("training:run", args=[live.pk]),
        "two runs": f"{reverse('training:runs_compared')}?run={live.pk}&run={other.pk}",
        "a check at work": reverse("training:upload", args=[check_at_work(admin).pk]),
        "an opening at work": reverse("evaluation:campaign", args=[campaign.pk]),
    }


def test_axe_finds_nothing_on_what_moves_and_what_is_compared(browser, live_server, settings):
    admin = factories.user()
    visitor = Client()
    visitor.force_login(admin)
    page = opened(browser, live_server.url, 390, "dark")
    key = visitor.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": key, "url": live_server.url}])
    found = {}
    for name, address in addresses(admin, settings).items():
        answer = page.goto(address)
        assert answer is not None and answer.status == 200, address
        found[name] = complaints(page)
    page.context.close()
    assert {name: said for name, said in found.items() if said} == {} and len(found) == 4
