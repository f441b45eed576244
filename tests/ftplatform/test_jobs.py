"""The life of a job: one claim, fenced writes, recovery, cancellation."""

from datetime import timedelta

import pytest
from django.utils import timezone

from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job, JobEvent
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return factories.user()


def claimed(run):
    claim = jobs.claim_next(queue=run.queue, worker="test")
    assert claim is not None and claim.job_id == run.pk
    return claim


def expire(run):
    Job.objects.filter(pk=run.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def test_a_job_is_claimed_once(owner):
    run = factories.training_run(owner)
    claimed(run)
    assert jobs.claim_next(queue=run.queue, worker="other") is None


def test_the_highest_priority_goes_first_and_then_the_oldest(owner):
    late, early, urgent = (factories.training_run(owner, priority=p) for p in (0, 0, 5))
    Job.objects.filter(pk=early.pk).update(created_at=timezone.now() - timedelta(hours=1))
    order = [jobs.claim_next(queue="gpu", worker="test") for _ in range(3)]
    assert [claim.job_id for claim in order if claim] == [urgent.pk, early.pk, late.pk]


def test_jobs_take_turns_on_a_machine_where_asked_to(owner):
    for _ in range(3):
        factories.training_run(owner)

    def claim(machine, process):
        return jobs.claim_next(queue="gpu", worker=f"{machine}:{process}", alone_on=f"{machine}:")

    first = claim("here", 1)
    assert first is not None and claim("here", 2) is None
    assert claim("there", 1) is not None, "the one that works here is no reason to wait there"
    expire(Job.objects.get(pk=first.job_id))
    assert claim("here", 2) is not None, "whose lease has run out is not at work"


def test_the_queue_position_counts_what_runs_and_what_comes_first(owner):
    first, second = factories.training_run(owner), factories.training_run(owner)
    assert (jobs.queue_position(first), jobs.queue_position(second)) == (0, 1)
    claimed(first)
    assert jobs.queue_position(second) == 1


@pytest.mark.parametrize(
    "write",
    [
        lambda claim: jobs.heartbeat(claim, step=1),
        lambda claim: jobs.progressed(claim),
        lambda claim: jobs.give_back(claim, error_code="x", message="y"),
        lambda claim: jobs.note(claim, "hello"),
        lambda claim: jobs.finish(claim, Job.Status.SUCCEEDED),
    ],
)
def test_a_stale_attempt_is_refused_every_write(owner, write):
    run = factories.training_run(owner)
    stale = claimed(run)
    expire(run)
    jobs.recover()
    fresh = claimed(run)
    with pytest.raises(jobs.StaleAttempt):
        write(stale)
    write(fresh)


@pytest.mark.parametrize("lease", ["expired", "missing"])
def test_recovery_requeues_a_silent_job_then_gives_up(owner, settings, lease):
    settings.JOB_MAX_ATTEMPTS = 2
    run = factories.training_run(owner)
    for status in (Job.Status.QUEUED, Job.Status.FAILED):
        claimed(run)
        expire(run)
        if lease == "missing":
            Job.objects.filter(pk=run.pk).update(lease_expires_at=None)
        assert jobs.recover() == 1
        run.refresh_from_db()
        assert run.status == status
    assert run.error_code == "worker_lost"


def test_recovery_leaves_a_live_job_alone(owner):
    run = factories.training_run(owner)
    claimed(run)
    assert jobs.recover() == 0
    run.refresh_from_db()
    assert run.status == Job.Status.RUNNING


def test_a_heartbeat_renews_the_lease_and_hears_of_cancellation(owner):
    run = factories.training_run(owner)
    claim = claimed(run)
    expire(run)
    assert jobs.heartbeat(claim, step=3, total_steps=9, seconds_left=4.5) is False
    assert jobs.recover() == 0
    jobs.cancel(job=run, user=owner)
    assert jobs.heartbeat(claim) is True
    run.refresh_from_db()
    assert (run.step, run.total_steps, run.seconds_left) == (3, 9, 4.5)


def test_a_queued_job_is_cancelled_at_once_and_stays_so(owner):
    run = factories.training_run(owner)
    jobs.cancel(job=run, user=owner)
    jobs.cancel(job=run, user=owner)
    assert jobs.claim_next(queue=run.queue, worker="test") is None
    run.refresh_from_db()
    assert run.status == Job.Status.CANCELLED and run.finished_at


@pytest.mark.parametrize("ending", ["child fails", "worker dies"])
def test_a_cancelled_job_never_turns_out_failed_or_queued(owner, ending):
    run = factories.training_run(owner)
    claim = claimed(run)
    jobs.cancel(job=run, user=owner)
    if ending == "child fails":
        jobs.finish(claim, Job.Status.FAILED, error_code="worker_crashed", error_message="gone")
    else:
        expire(run)
        jobs.recover()
    run.refresh_from_db()
    assert (run.status, run.error_code) == (Job.Status.CANCELLED, "")


def test_every_change_of_status_leaves_a_line(owner):
    run = factories.training_run(owner)
    claim = claimed(run)
    jobs.finish(claim, Job.Status.SUCCEEDED)
    changes = JobEvent.objects.filter(job=run).values_list("old", "new")
    assert list(changes) == [("queued", "running"), ("running", "succeeded")]


def test_a_finished_job_cannot_be_finished_again(owner):
    claim = claimed(factories.training_run(owner))
    jobs.finish(claim, Job.Status.FAILED, error_code="x", error_message="y")
    with pytest.raises(jobs.StaleAttempt):
        jobs.finish(claim, Job.Status.SUCCEEDED)


def test_a_queued_job_pauses_at_once_and_resumes_into_its_old_place(owner):
    first, second = factories.training_run(owner), factories.training_run(owner)
    jobs.pause(job=first, user=owner)
    first.refresh_from_db()
    assert first.status == Job.Status.PAUSED and not first.is_finished and jobs.queue_position(second) == 0
    jobs.resume(job=first, user=owner)
    assert jobs.queue_position(second) == 1
    claimed(first)


def test_a_running_job_hears_of_the_pause_and_waits_paused(owner):
    run = factories.training_run(owner)
    claim = claimed(run)
    jobs.pause(job=run, user=owner)
    jobs.pause(job=run, user=owner)
    assert jobs.heartbeat(claim) is True
    jobs.give_back(claim, error_code="x", message="Stopped")
    run.refresh_from_db()
    assert (run.status, run.pause_requested, run.finished_at, run.losses) == (
        Job.Status.PAUSED,
        False,
        None,
        0,
    )
    assert jobs.claim_next(queue=run.queue, worker="test") is None and jobs.recover() == 0
    jobs.resume(job=run, user=owner)
    assert jobs.heartbeat(claimed(run)) is False


def test_only_a_paused_job_resumes(owner):
    run = factories.training_run(owner)
    with pytest.raises(DomainError) as caught:
        jobs.resume(job=run, user=owner)
    assert caught.value.code == "not_paused"


def test_a_paused_job_can_be_cancelled(owner):
    run = factories.training_run(owner)
    jobs.pause(job=run, user=owner)
    jobs.cancel(job=run, user=owner)
    jobs.pause(job=run, user=owner)
    run.refresh_from_db()
    assert run.status == Job.Status.CANCELLED and run.finished_at


def test_cancelling_is_stronger_than_pausing(owner):
    run = factories.training_run(owner)
    claim = claimed(run)
    jobs.pause(job=run, user=owner)
    jobs.cancel(job=run, user=owner)
    jobs.give_back(claim, error_code="x", message="Stopped")
    run.refresh_from_db()
    assert run.status == Job.Status.CANCELLED


@pytest.mark.parametrize("take_back", ["recover", "restart"])
def test_a_pause_holds_when_the_worker_is_lost(owner, take_back):
    run = factories.training_run(owner)
    claimed(run)
    jobs.pause(job=run, user=owner)
    expire(run)
    jobs.recover() if take_back == "recover" else jobs.take_back_all()
    run.refresh_from_db()
    assert run.status == Job.Status.PAUSED


def test_an_attempt_that_crashes_is_queued_again_and_gives_up_with_its_own_reason(owner, settings):
    settings.JOB_MAX_ATTEMPTS = 2
    run = factories.training_run(owner)
    for status in (Job.Status.QUEUED, Job.Status.FAILED):
        jobs.give_back(claimed(run), error_code="worker_crashed", message="The process died")
        run.refresh_from_db()
        assert run.status == status
    assert run.error_code == "worker_crashed" and "2 times" in run.error_message


def test_progress_forgives_earlier_losses(owner, settings):
    settings.JOB_MAX_ATTEMPTS = 2
    run = factories.training_run(owner)
    for _ in range(5):
        claim = claimed(run)
        jobs.progressed(claim)
        jobs.give_back(claim, error_code="worker_crashed", message="The process died")
    run.refresh_from_db()
    assert (run.status, run.losses, run.attempt) == (Job.Status.QUEUED, 1, 5)
