"""Model versions, their stages, and the jobs on their files."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from ftplatform.jobs.models import Job
from training import actions


class ModelVersion(models.Model):
    """A base model, an adapter, or a merge of both, with its lineage; or an external system, known by its name only."""

    class Kind(models.TextChoices):
        BASE = "base", "Base model"
        ADAPTER = "adapter", "Adapter"
        MERGED = "merged", "Merged model"
        EXTERNAL = "external", "External system"

    class Stage(models.TextChoices):
        CANDIDATE = "candidate", "Candidate"
        RELEASED = "released", "Released"
        RETIRED = "retired", "Retired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=10, choices=Kind)
    stage = models.CharField(max_length=10, choices=Stage, default=Stage.CANDIDATE)
    path = models.CharField(
        max_length=1000, blank=True, help_text="Folder with safetensors, as the workers see it."
    )
    weights_hash = models.CharField(max_length=64, blank=True)
    base = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="adapters")
    run = models.OneToOneField(
        "TrainingRun", null=True, blank=True, on_delete=models.PROTECT, related_name="adapter"
    )
    source = models.OneToOneField(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="merged",
        help_text="The adapter that a merged model was made from.",
    )
    hub_reference = models.CharField(
        max_length=200, blank=True, help_text="organisation/name@commit, if downloaded."
    )
    licence = models.CharField(
        max_length=100, blank=True, help_text="As its publisher names it, e.g. apache-2.0."
    )
    verified_at = models.DateTimeField(null=True, blank=True, help_text="When its files last had their hash.")
    details = models.JSONField(default=dict, help_text="Architecture, parameters, template hash.")
    is_demo = models.BooleanField(
        default=False, help_text="A toy model: its numbers say nothing about real ones."
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="base", base__isnull=True, run__isnull=True, source__isnull=True)
                | Q(kind="adapter", base__isnull=False, source__isnull=True)
                | Q(kind="merged", base__isnull=False, run__isnull=True, source__isnull=False)
                | Q(kind="external", base__isnull=True, run__isnull=True, source__isnull=True),
                name="model_lineage",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def other_stages(self) -> list[tuple[str, str]]:
        """The stages that it can be moved to, with their names."""
        return [(value, name) for value, name in self.Stage.choices if value != self.stage]

    @property
    def actions(self) -> tuple[actions.ModelAction, ...]:
        """The actions it allows now; reads its merges."""
        return actions.model_actions(
            kind=self.kind,
            stage=self.stage,
            has_files=bool(self.path),
            from_run=(self.source or self).run_id is not None,
            merged=hasattr(self, "merged"),
            merging=self.merges.exclude(status__in=Job.TERMINAL).exists(),
        )


class StageChange(models.Model):
    """Who moved a model from one stage to another, and why; rows are never changed or removed."""

    model = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="stage_changes")
    old = models.CharField(max_length=10, choices=ModelVersion.Stage)
    new = models.CharField(max_length=10, choices=ModelVersion.Stage)
    reason = models.TextField()
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]


class ModelJob(Job):
    """A job on one model's files: its download from the hub, its conversion from a GGUF file (`reference` is then the
    file, `name` the name that it will get), or its verification."""

    name = models.CharField(
        max_length=100, help_text="Of the model; for a download, the name that it will get."
    )
    reference = models.CharField(
        max_length=200, blank=True, help_text="organisation/name@commit of a download."
    )
    licence = models.CharField(max_length=100, blank=True)
    model = models.ForeignKey(
        ModelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="file_jobs"
    )

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]

    @property
    def actions(self) -> tuple[actions.JobAction, ...]:
        """The actions it allows now."""
        return actions.job_actions(self.status, cancel_requested=self.cancel_requested)


class MergeRun(Job):
    """One merge of an adapter into a 16-bit copy of its base, with the measured difference in outputs."""

    adapter = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="merges")
    facts = models.JSONField(default=dict, help_text="Differences of logits and of greedy tokens.")

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]
