"""The one task that runs jobs."""

from ftplatform.jobs.models import Job
from worker.tasks import RUNNERS


def test_every_kind_of_job_has_a_runner():
    assert set(RUNNERS) == set(Job.Kind)
