"""The life cycle of a job: launch, claim, heartbeat, finish, cancel, pause, resume, recover.

Every write of a worker carries the attempt number of its claim and is refused when that number is stale. A worker
that was frozen past its lease therefore cannot change what a second attempt has done. Times come from the database's
clock, because the clocks of machines differ.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from ftplatform import queues
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from ftplatform.jobs.models import Job, JobEvent

J = TypeVar("J", bound=Job)
_LOST = Q(lease_expires_at__lt=Now()) | Q(lease_expires_at__isnull=True)


class StaleAttempt(DomainError):
    """Another attempt owns the job now, or the job has ended. The worker must stop at once."""

    def __init__(self, job_id: UUID, attempt: int) -> None:
        super().__init__("stale_attempt", f"Attempt {attempt} of job {job_id} is no longer the current one.")


@dataclass(frozen=True)
class Claim:
    """The right to work on a job: its id and its attempt number, which fences writes."""

    job_id: UUID
    attempt: int

    def row(self) -> QuerySet[Job]:
        return Job.objects.filter(pk=self.job_id, status=Job.Status.RUNNING, attempt=self.attempt)


_NO_FORECAST: dict[str, object] = {
    "seconds_left": None,
    "seconds_left_low": None,
    "seconds_left_high": None,
}


def _lease() -> dict[str, object]:
    return {"heartbeat_at": Now(), "lease_expires_at": Now() + timedelta(seconds=settings.JOB_LEASE_SECONDS)}


def _note(job_id: UUID, attempt: int, message: str, *, old: str = "", new: str = "") -> None:
    JobEvent.objects.create(job_id=job_id, attempt=attempt, message=message, old=old, new=new)


def announce(job: Job) -> None:
    """Record that a job was created and wake a worker. Call it inside the transaction that created the job."""
    _note(job.pk, 0, "Queued.", new=Job.Status.QUEUED)
    queues.ring_on_commit(job.queue)


def launched_before(kind: type[J], *, user: User, idempotency_key: str | None, **asked: object) -> J | None:
    """The job that this key has already created, which is the answer to a repeated launch; else None.

    Raises DomainError `idempotency_mismatch` when the key was used for a different launch.
    """
    if not idempotency_key:
        return None
    jobs = Job.objects.filter(created_by=user, idempotency_key=idempotency_key)
    earlier: J | None = kind._default_manager.filter(pk__in=jobs.values("pk")).first()  # type: ignore[assignment]
    if earlier is None and not jobs.exists():
        return None
    if earlier is None or any(getattr(earlier, name) != value for name, value in asked.items()):
        raise DomainError(
            "idempotency_mismatch", "This idempotency key was already used for something else.", status=422
        )
    return earlier


def claim_next(*, queue: str, worker: str, alone_on: str = "") -> Claim | None:
    """Claim the queued job with the highest priority, oldest first. Only the conditional UPDATE decides a race.

    With `alone_on`, claim nothing while a worker whose name starts with it holds the lease of a job of this queue.
    """
    while True:
        candidate = (
            Job.objects.filter(queue=queue, status=Job.Status.QUEUED)
            .order_by("-priority", "created_at")
            .first()
        )
        # Checked after the candidate was read: a worker that claimed a job before that is visible by now. If
        # several workers have read the same candidate, only the first one gets it.
        if candidate is None or (alone_on and _is_at_work(queue, alone_on)):
            return None
        claim = _claim(candidate, worker)
        if claim is not None:
            return claim


def _is_at_work(queue: str, machine: str) -> bool:
    running = Job.objects.filter(queue=queue, status=Job.Status.RUNNING, worker__startswith=machine)
    return running.filter(lease_expires_at__gte=Now()).exists()


@transaction.atomic
def _claim(job: Job, worker: str) -> Claim | None:
    attempt = job.attempt + 1
    taken = Job.objects.filter(pk=job.pk, status=Job.Status.QUEUED, attempt=job.attempt).update(
        status=Job.Status.RUNNING,
        attempt=attempt,
        worker=worker,
        started_at=job.started_at or Now(),
        stage="Starting",
        step=0,
        total_steps=0,
        **_NO_FORECAST,
        **_lease(),
    )
    if not taken:
        return None
    _note(job.pk, attempt, f"Claimed by {worker}.", old=Job.Status.QUEUED, new=Job.Status.RUNNING)
    return Claim(job.pk, attempt)


def heartbeat(
    claim: Claim,
    *,
    stage: str | None = None,
    step: int | None = None,
    total_steps: int | None = None,
    seconds_left: float | None = None,
    seconds_left_low: float | None = None,
    seconds_left_high: float | None = None,
) -> bool:
    """Renew the lease and store progress. Return whether a cancellation or a pause was requested.

    Raises StaleAttempt when this attempt no longer owns the job.
    """
    progress = {
        "stage": stage,
        "step": step,
        "total_steps": total_steps,
        "seconds_left": seconds_left,
        "seconds_left_low": seconds_left_low,
        "seconds_left_high": seconds_left_high,
    }
    changed = {name: value for name, value in progress.items() if value is not None}
    if not claim.row().update(**_lease(), **changed):
        raise StaleAttempt(claim.job_id, claim.attempt)
    flags = Job.objects.values_list("cancel_requested", "pause_requested").get(pk=claim.job_id)
    return any(flags)


def check_current(claim: Claim) -> None:
    """Lock the job's row and check that this attempt still owns it. Call it inside `atomic` before writes."""
    if not claim.row().select_for_update().exists():
        raise StaleAttempt(claim.job_id, claim.attempt)


def note(claim: Claim, message: str) -> None:
    with transaction.atomic():
        check_current(claim)
        _note(claim.job_id, claim.attempt, message)


def progressed(claim: Claim) -> None:
    """Reset the count of losses: work that the next attempt need not repeat has been stored."""
    if not claim.row().update(losses=0):
        raise StaleAttempt(claim.job_id, claim.attempt)


@transaction.atomic
def finish(claim: Claim, status: Job.Status, *, error_code: str = "", error_message: str = "") -> None:
    """Write the terminal status, alone and once. If cancellation was requested, a failure is stored as cancelled."""
    if status == Job.Status.FAILED and claim.row().filter(cancel_requested=True).exists():
        status, error_code, error_message = Job.Status.CANCELLED, "", ""
    done = claim.row().update(
        status=status,
        finished_at=Now(),
        lease_expires_at=None,
        **_NO_FORECAST,
        stage="",
        error_code=error_code,
        error_message=error_message[:4000],
    )
    if not done:
        raise StaleAttempt(claim.job_id, claim.attempt)
    _note(
        claim.job_id, claim.attempt, error_message or f"{status.label}.", old=Job.Status.RUNNING, new=status
    )


def give_back(claim: Claim, *, error_code: str, message: str) -> None:
    """End an attempt whose process stopped before its work was done, on request or unexpectedly.

    The job becomes cancelled or paused if that was requested. Otherwise it is queued for its next attempt, or it
    fails with this code when too many attempts in a row were lost without progress.
    """
    while (job := claim.row().first()) is not None:
        # A flag set between reading and writing makes the update fail, so the job is read again.
        if _lose(job, message, only=Q(), error_code=error_code):
            queues.ring(job.queue)
            return
    raise StaleAttempt(claim.job_id, claim.attempt)


@transaction.atomic
def cancel(*, job: Job, user: User) -> None:
    """Cancel a job. One that is not running ends at once; a running one is flagged and its worker stops it.
    Cancelling twice changes nothing."""
    audit.record(actor=user, action="job.cancel", target=job)
    for status in (Job.Status.QUEUED, Job.Status.PAUSED):
        waiting = Job.objects.filter(pk=job.pk, status=status)
        if waiting.update(status=Job.Status.CANCELLED, cancel_requested=True, finished_at=Now()):
            _note(job.pk, job.attempt, f"Cancelled by {user}.", old=status, new=Job.Status.CANCELLED)
            return
    running = Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING, cancel_requested=False)
    if running.update(cancel_requested=True):
        _note(job.pk, job.attempt, f"Cancel requested by {user}. The worker stops at the next step.")


@transaction.atomic
def pause(*, job: Job, user: User) -> None:
    """Pause a job. A queued job is paused at once; a running one saves its state at the next step and frees its
    device. A paused or finished job stays as it is."""
    audit.record(actor=user, action="job.pause", target=job)
    queued = Job.objects.filter(pk=job.pk, status=Job.Status.QUEUED)
    if queued.update(status=Job.Status.PAUSED):
        _note(job.pk, job.attempt, f"Paused by {user}.", old=Job.Status.QUEUED, new=Job.Status.PAUSED)
        return
    running = Job.objects.filter(
        pk=job.pk, status=Job.Status.RUNNING, pause_requested=False, cancel_requested=False
    )
    if running.update(pause_requested=True):
        _note(job.pk, job.attempt, f"Pause requested by {user}. The worker stops at the next step.")


@transaction.atomic
def resume(*, job: Job, user: User) -> None:
    """Return a paused job to its old place in the queue. Raises DomainError `not_paused` for any other job."""
    audit.record(actor=user, action="job.resume", target=job)
    paused = Job.objects.filter(pk=job.pk, status=Job.Status.PAUSED)
    if not paused.update(status=Job.Status.QUEUED):
        raise DomainError("not_paused", "Only a paused job can be resumed. Wait until it has paused.")
    _note(job.pk, job.attempt, f"Resumed by {user}.", old=Job.Status.PAUSED, new=Job.Status.QUEUED)
    queues.ring_on_commit(job.queue)


@transaction.atomic
def prioritise(*, job: Job, user: User, priority: int) -> None:
    """Move a queued job ahead of all with lower priority. Raises DomainError `not_queued` when it has started."""
    if not Job.objects.filter(pk=job.pk, status=Job.Status.QUEUED).update(priority=priority):
        raise DomainError(
            "not_queued", "Only the priority of a queued job can be changed. This job has started or ended."
        )
    audit.record(actor=user, action="job.prioritise", target=job, old=job.priority, new=priority)
    _note(job.pk, job.attempt, f"{user} set the priority to {priority}.")


@transaction.atomic
def try_again(*, job: Job, user: User) -> None:
    """Return a failed job to its old place in the queue. For jobs that continue from what they have stored.

    Raises DomainError `not_failed` for a job that has not failed.
    """
    audit.record(actor=user, action="job.try_again", target=job)
    failed = Job.objects.filter(pk=job.pk, status=Job.Status.FAILED)
    if not failed.update(
        status=Job.Status.QUEUED, finished_at=None, losses=0, error_code="", error_message=""
    ):
        raise DomainError("not_failed", "Only a failed job can be retried.")
    _note(job.pk, job.attempt, f"Retried by {user}.", old=Job.Status.FAILED, new=Job.Status.QUEUED)
    queues.ring_on_commit(job.queue)


def recover() -> int:
    """Take back every running job whose lease has expired (or that never had one), then wake workers for queued
    work.

    Returns how many jobs were recovered. Safe to run on several machines at once.
    """
    lost = Job.objects.filter(_LOST, status=Job.Status.RUNNING)
    # The UPDATE checks the condition again, so that a heartbeat just in time wins.
    silent = "The worker stopped responding"
    recovered = sum(_lose(job, silent, only=_LOST, error_code="worker_lost") for job in lost)
    for queue in (
        Job.objects.filter(status=Job.Status.QUEUED).order_by().values_list("queue", flat=True).distinct()
    ):
        queues.ring(queue)
    return recovered


def _lose(job: Job, what: str, *, only: Q, error_code: str) -> bool:
    """Take a running job from an attempt that is gone; `what` says what happened, as the beginning of a sentence."""
    losses = job.losses + 1
    requested = _requested_status(job)
    if requested is not None:
        return _take_back(job, requested, f"{what}; {requested.label.lower()} as requested.", only=only)
    if losses >= settings.JOB_MAX_ATTEMPTS:
        message = f"{what} {losses} times without progress. The job has failed."
        changed = {"losses": losses, "error_code": error_code, "error_message": message}
        return _take_back(job, Job.Status.FAILED, message, only=only, **changed)
    return _take_back(job, Job.Status.QUEUED, f"{what}; queued again.", only=only, losses=losses)


def take_back_all() -> None:
    """Queue every running job again without counting a loss. For a start that knows that no worker is running."""
    for job in Job.objects.filter(status=Job.Status.RUNNING):
        _take_back(job, _requested_status(job) or Job.Status.QUEUED, "The site was restarted.", only=Q())


def _requested_status(job: Job) -> Job.Status | None:
    """The status requested for a running job when it stops, if any; cancelling takes precedence over pausing."""
    if job.cancel_requested:
        return Job.Status.CANCELLED
    return Job.Status.PAUSED if job.pause_requested else None


@transaction.atomic
def _take_back(job: Job, new: Job.Status, message: str, *, only: Q, **changed: object) -> bool:
    """Take a running job from its attempt while `only` holds. Return whether this call did it."""
    changed |= {"status": new, "lease_expires_at": None, "stage": "", "pause_requested": False}
    if new in Job.TERMINAL:
        changed["finished_at"] = Now()
    running = Job.objects.filter(
        only,
        pk=job.pk,
        status=Job.Status.RUNNING,
        attempt=job.attempt,
        cancel_requested=job.cancel_requested,
        pause_requested=job.pause_requested,
    )
    if not running.update(**_NO_FORECAST, **changed):
        return False
    _note(job.pk, job.attempt, message, old=Job.Status.RUNNING, new=new)
    return True


def waiting_before(job: Job) -> QuerySet[Job]:
    """The queued jobs of the same queue that start before this queued job."""
    first = Q(priority__gt=job.priority) | Q(priority=job.priority, created_at__lt=job.created_at)
    return Job.objects.filter(first, queue=job.queue, status=Job.Status.QUEUED).exclude(pk=job.pk)


def queue_position(job: Job) -> int:
    """How many jobs of the same queue are running or start before this queued job."""
    ahead = Q(status=Job.Status.RUNNING) | Q(
        Q(priority__gt=job.priority) | Q(priority=job.priority, created_at__lt=job.created_at),
        status=Job.Status.QUEUED,
    )
    return Job.objects.filter(ahead, queue=job.queue).exclude(pk=job.pk).count()
