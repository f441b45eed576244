"""The life of a job: launch, claim, heartbeat, finish, cancel, recover.

Every write of a worker carries the attempt number it claimed with and is refused when that number is stale, so a
worker that was frozen past its lease cannot touch what a second attempt has done. Times come from the database's
clock, because machines disagree.
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
    """Another attempt owns the job now, or it has ended; whoever hears this stops at once."""

    def __init__(self, job_id: UUID, attempt: int) -> None:
        super().__init__("stale_attempt", f"Attempt {attempt} of job {job_id} is no longer the current one.")


@dataclass(frozen=True)
class Claim:
    """The right to work on a job: its id and the fencing number."""

    job_id: UUID
    attempt: int

    def row(self) -> QuerySet[Job]:
        return Job.objects.filter(pk=self.job_id, status=Job.Status.RUNNING, attempt=self.attempt)


def _lease() -> dict[str, object]:
    return {"heartbeat_at": Now(), "lease_expires_at": Now() + timedelta(seconds=settings.JOB_LEASE_SECONDS)}


def _note(job_id: UUID, attempt: int, message: str, *, old: str = "", new: str = "") -> None:
    JobEvent.objects.create(job_id=job_id, attempt=attempt, message=message, old=old, new=new)


def announce(job: Job) -> None:
    """Record that a job was created and ring for a worker; call inside the transaction that created it."""
    _note(job.pk, 0, "Queued.", new=Job.Status.QUEUED)
    queues.ring_on_commit(job.queue)


def launched_before(kind: type[J], *, user: User, idempotency_key: str | None, **asked: object) -> J | None:
    """The job that this key has already made, so that a repeated launch answers with it; a key never means two
    things. Raises DomainError `idempotency_mismatch` when what was asked differs."""
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


def claim_next(*, queue: str, worker: str) -> Claim | None:
    """Take the queued job of highest priority, oldest first. The conditional UPDATE is the only arbiter."""
    while True:
        candidate = (
            Job.objects.filter(queue=queue, status=Job.Status.QUEUED)
            .order_by("-priority", "created_at")
            .first()
        )
        if candidate is None:
            return None
        claim = _claim(candidate, worker)
        if claim is not None:
            return claim


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
        seconds_left=None,
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
) -> bool:
    """Renew the lease and store progress; returns whether somebody asked for cancellation.

    Raises StaleAttempt when the job is no longer this attempt's.
    """
    progress = {"stage": stage, "step": step, "total_steps": total_steps, "seconds_left": seconds_left}
    changed = {name: value for name, value in progress.items() if value is not None}
    if not claim.row().update(**_lease(), **changed):
        raise StaleAttempt(claim.job_id, claim.attempt)
    return Job.objects.values_list("cancel_requested", flat=True).get(pk=claim.job_id)


def check_current(claim: Claim) -> None:
    """Lock the job's row and make sure that it still belongs to this attempt; call inside `atomic` before writes."""
    if not claim.row().select_for_update().exists():
        raise StaleAttempt(claim.job_id, claim.attempt)


def note(claim: Claim, message: str) -> None:
    with transaction.atomic():
        check_current(claim)
        _note(claim.job_id, claim.attempt, message)


@transaction.atomic
def finish(claim: Claim, status: Job.Status, *, error_code: str = "", error_message: str = "") -> None:
    """Write the terminal status, alone and once. A job whose cancellation was asked for never turns out failed."""
    if status == Job.Status.FAILED and claim.row().filter(cancel_requested=True).exists():
        status, error_code, error_message = Job.Status.CANCELLED, "", ""
    done = claim.row().update(
        status=status,
        finished_at=Now(),
        lease_expires_at=None,
        seconds_left=None,
        stage="",
        error_code=error_code,
        error_message=error_message[:4000],
    )
    if not done:
        raise StaleAttempt(claim.job_id, claim.attempt)
    _note(
        claim.job_id, claim.attempt, error_message or f"{status.label}.", old=Job.Status.RUNNING, new=status
    )


@transaction.atomic
def cancel(*, job: Job, user: User) -> None:
    """A queued job ends at once; a running one is flagged and its worker stops it. A second click changes nothing."""
    audit.record(actor=user, action="job.cancel", target=job)
    queued = Job.objects.filter(pk=job.pk, status=Job.Status.QUEUED)
    if queued.update(status=Job.Status.CANCELLED, cancel_requested=True, finished_at=Now()):
        _note(job.pk, job.attempt, f"Cancelled by {user}.", old=Job.Status.QUEUED, new=Job.Status.CANCELLED)
        return
    running = Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING, cancel_requested=False)
    if running.update(cancel_requested=True):
        _note(job.pk, job.attempt, f"{user} asked to cancel; the worker stops at the next step.")


def recover() -> int:
    """Requeue or fail every running job whose lease ran out (or that never had one), then ring for queued work.

    Returns how many jobs were recovered. Safe to run from several machines at once.
    """
    recovered = sum(_recover_one(job) for job in Job.objects.filter(_LOST, status=Job.Status.RUNNING))
    for queue in (
        Job.objects.filter(status=Job.Status.QUEUED).order_by().values_list("queue", flat=True).distinct()
    ):
        queues.ring(queue)
    return recovered


def _recover_one(job: Job) -> bool:
    losses = job.losses + 1
    if job.cancel_requested:
        new, message = Job.Status.CANCELLED, "The worker went silent after cancellation was asked for."
    elif losses >= settings.JOB_MAX_ATTEMPTS:
        new, message = Job.Status.FAILED, f"The worker went silent {losses} times; giving up."
    else:
        new, message = Job.Status.QUEUED, "The worker went silent; queued again."
    # The condition again, so that a heartbeat just in time wins.
    return _take_back(job, new, message, only=_LOST, losses=losses)


def take_back_all() -> None:
    """Queue every running job again at once, without counting a loss: for a start that knows that no worker lives."""
    for job in Job.objects.filter(status=Job.Status.RUNNING):
        again = Job.Status.CANCELLED if job.cancel_requested else Job.Status.QUEUED
        _take_back(job, again, "The site was restarted.", only=Q(), losses=job.losses)


@transaction.atomic
def _take_back(job: Job, new: Job.Status, message: str, *, only: Q, losses: int) -> bool:
    """Take a running job from its attempt while `only` holds; returns whether this call was the one that did."""
    changed: dict[str, object] = {
        "status": new,
        "lease_expires_at": None,
        "seconds_left": None,
        "losses": losses,
    }
    if new in Job.TERMINAL:
        changed["finished_at"] = Now()
    if new == Job.Status.FAILED:
        changed |= {"error_code": "worker_lost", "error_message": message}
    running = Job.objects.filter(only, pk=job.pk, status=Job.Status.RUNNING, attempt=job.attempt)
    if not running.update(**changed):
        return False
    _note(job.pk, job.attempt, message, old=Job.Status.RUNNING, new=new)
    return True


def queue_position(job: Job) -> int:
    """How many jobs of the same queue run or start before this queued one."""
    ahead = Q(status=Job.Status.RUNNING) | Q(
        Q(priority__gt=job.priority) | Q(priority=job.priority, created_at__lt=job.created_at),
        status=Job.Status.QUEUED,
    )
    return Job.objects.filter(ahead, queue=job.queue).exclude(pk=job.pk).count()
