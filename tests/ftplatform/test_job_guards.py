"""Negative controls of a job's guards: without them, what the tests of jobs rule out happens."""

import pytest

from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from tests import factories
from tests.ftplatform.test_jobs import claimed, expire, owner  # noqa: F401 (a fixture)

pytestmark = pytest.mark.django_db


def test_without_the_fence_a_stale_attempt_overwrites_its_successor(owner, monkeypatch):  # noqa: F811
    """The negative control: a claim that forgets its attempt number ends the job of another."""
    run = factories.training_run(owner)
    stale = claimed(run)
    expire(run)
    jobs.recover()
    claimed(run)
    monkeypatch.setattr(jobs.Claim, "row", lambda claim: Job.objects.filter(pk=claim.job_id))
    jobs.finish(stale, Job.Status.SUCCEEDED)
    run.refresh_from_db()
    assert (run.status, run.attempt) == (Job.Status.SUCCEEDED, 2)


def test_without_the_flag_the_same_ending_is_a_failure_or_another_attempt(owner):  # noqa: F811
    """It is the request that makes both endings a cancellation."""
    failed, lost = factories.training_run(owner, priority=1), factories.training_run(owner)
    jobs.finish(claimed(failed), Job.Status.FAILED, error_code="worker_crashed", error_message="gone")
    claimed(lost)
    expire(lost)
    jobs.recover()
    failed.refresh_from_db()
    lost.refresh_from_db()
    assert (failed.status, lost.status) == (Job.Status.FAILED, Job.Status.QUEUED)
