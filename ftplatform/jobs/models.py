"""Long work as database rows.

The row is the truth. Its lease decides which worker runs it, and its attempt number keeps stale workers from
writing.
"""

import uuid
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from ftplatform import queues


class Job(models.Model):
    """One piece of long work. TrainingRun and Comparison are jobs (multi-table inheritance), so that one query finds
    the next job to run, one a position in the queue, and one all jobs to recover."""

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    class Kind(models.TextChoices):
        TRAINING = "training", "Training"
        GENERATION = "generation", "Generation"
        MERGE = "merge", "Merge"
        DOWNLOAD = "download", "Download"
        CONVERSION = "conversion", "Conversion"
        VERIFICATION = "verification", "Verification"
        MEASUREMENT = "measurement", "Measurement"
        IMPORT = "import", "Import"
        OPENING = "opening", "Opening"

    TERMINAL: ClassVar[frozenset[str]] = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=20, choices=Kind)
    queue = models.CharField(
        max_length=10,
        choices=[(queues.GPU, "GPU"), (queues.CPU, "CPU"), (queues.ENDPOINT, "Endpoint")],
        default=queues.GPU,
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    priority = models.SmallIntegerField(default=0, help_text="Higher runs first.")
    cancel_requested = models.BooleanField(default=False)
    pause_requested = models.BooleanField(default=False)

    attempt = models.PositiveSmallIntegerField(default=0)
    losses = models.PositiveSmallIntegerField(default=0, help_text="Attempts lost since the last progress.")
    worker = models.CharField(max_length=100, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)

    stage = models.CharField(max_length=100, blank=True)
    step = models.PositiveIntegerField(default=0)
    total_steps = models.PositiveIntegerField(default=0)
    seconds_left = models.FloatField(null=True, blank=True)
    seconds_left_low = models.FloatField(null=True, blank=True)
    seconds_left_high = models.FloatField(null=True, blank=True)

    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.TextField(blank=True)

    idempotency_key = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001 (NULL means none)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(
                fields=["queue", "-priority", "created_at"], condition=Q(status="queued"), name="job_next"
            ),
            models.Index(fields=["lease_expires_at"], condition=Q(status="running"), name="job_lease"),
            # Lists read the newest jobs and estimates the newest finished ones, without sorting all jobs.
            models.Index(fields=["kind", "-created_at"], name="job_newest"),
            models.Index(fields=["kind", "status", "-finished_at"], name="job_ended"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running", "paused", "succeeded", "failed", "cancelled"]),
                name="job_status_known",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["succeeded", "failed", "cancelled"], finished_at__isnull=False)
                | Q(status__in=["queued", "running", "paused"], finished_at__isnull=True),
                name="job_finished_stamped",
            ),
            models.UniqueConstraint(fields=["created_by", "idempotency_key"], name="job_idempotency"),
        ]

    @property
    def folder(self) -> Path:
        """Of the files that its attempts write."""
        return Path(settings.ARTEFACT_DIR) / "runs" / str(self.pk)

    @property
    def is_finished(self) -> bool:
        return self.status in self.TERMINAL

    @property
    def duration(self) -> timedelta | None:
        """Time from the first start to the end, including waits between attempts."""
        return self.finished_at - self.started_at if self.finished_at and self.started_at else None


class JobEvent(models.Model):
    """One line of a job's history: a change of status, or a message from the worker."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(db_default=Now())
    attempt = models.PositiveSmallIntegerField(default=0)
    old = models.CharField(max_length=10, blank=True)
    new = models.CharField(max_length=10, blank=True)
    message = models.TextField()

    class Meta:
        ordering = ["id"]
