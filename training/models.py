"""Datasets, model versions, training runs and their metrics."""

import uuid
from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from ftplatform.jobs.models import Job
from training import actions, checkpoints
from training.checkpoints import Checkpoint


class Dataset(models.Model):
    """An immutable version of uploaded rows. The rows are stored as JSON lines, one file per split, in a folder named
    after the content's hash. The database row is written only after the folder is complete."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100)
    version = models.PositiveIntegerField()
    content_hash = models.CharField(max_length=64)
    source_name = models.CharField(max_length=255, help_text="Name of the uploaded file.")
    train_rows = models.PositiveIntegerField()
    validation_rows = models.PositiveIntegerField()
    test_rows = models.PositiveIntegerField(default=0)
    output_schema = models.JSONField(
        default=dict, help_text="JSON Schema that every row's expected output has been checked against."
    )
    facts = models.JSONField(
        default=dict,
        help_text="How it was made: mapping of columns, skipped rows, repeated prompts, near-duplicates.",
    )
    description = models.TextField(blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="dataset_version"),
            models.UniqueConstraint(fields=["name", "content_hash"], name="dataset_content"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def rows(self) -> int:
        return self.train_rows + self.validation_rows + self.test_rows

    @property
    def held_out_split(self) -> str:
        """The split that comparisons take prompts from: the test split, which no training decision uses."""
        return "test" if self.test_rows else "validation"

    @property
    def folder(self) -> Path:
        return Path(settings.ARTEFACT_DIR) / "datasets" / self.content_hash

    def split_file(self, split: str) -> Path:
        return self.folder / f"{split}.jsonl"


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
    def folder(self) -> Path:
        return Path(settings.ARTEFACT_DIR) / "runs" / str(self.pk)

    @property
    def actions(self) -> tuple[actions.JobAction, ...]:
        """The actions it allows now."""
        return actions.job_actions(self.status, cancel_requested=self.cancel_requested)


class TrainingRun(Job):
    """One fine-tuning job: a frozen dataset version, a frozen configuration, a seed."""

    name = models.CharField(max_length=100)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="runs")
    base_model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="training_runs")
    config = models.JSONField()
    retry_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="retries"
    )
    from_step = models.PositiveIntegerField(
        default=0,
        help_text="Step of the checkpoint of `retry_of` that this run starts from; 0 is the beginning.",
    )
    facts = models.JSONField(
        default=dict, help_text="What the finished run reported: device, versions, memory."
    )
    estimate = models.JSONField(
        null=True, blank=True, help_text="What was expected of it when it was launched."
    )

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]

    def __str__(self) -> str:
        return self.name

    @property
    def folder(self) -> Path:
        return Path(settings.ARTEFACT_DIR) / "runs" / str(self.pk)

    @property
    def actions(self) -> tuple[actions.RunAction, ...]:
        """The actions it allows now."""
        return actions.run_actions(
            self.status, cancel_requested=self.cancel_requested, pause_requested=self.pause_requested
        )

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """The complete checkpoints now on disk, of all attempts, by step. A successful run keeps none."""
        return checkpoints.saved(self.folder)


class MergeRun(Job):
    """One merge of an adapter into a 16-bit copy of its base, with the measured difference in outputs."""

    adapter = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="merges")
    facts = models.JSONField(default=dict, help_text="Differences of logits and of greedy tokens.")

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]

    @property
    def folder(self) -> Path:
        return Path(settings.ARTEFACT_DIR) / "runs" / str(self.pk)


class StepMetric(models.Model):
    """Measurements of one training step, or of a validation after it."""

    class Split(models.TextChoices):
        TRAIN = "train", "Training"
        VALIDATION = "validation", "Validation"

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="metrics")
    split = models.CharField(max_length=10, choices=Split)
    step = models.PositiveIntegerField()
    loss = models.FloatField(help_text="Mean cross-entropy of the trained tokens, in nats.")
    token_accuracy = models.FloatField(null=True, help_text="Share of trained tokens predicted exactly.")
    tokens = models.PositiveBigIntegerField(null=True, help_text="Tokens seen since the start.")
    learning_rate = models.FloatField(null=True)
    grad_norm = models.FloatField(null=True)
    tokens_per_second = models.FloatField(null=True, help_text="Of this step alone, validation left out.")
    memory_bytes = models.PositiveBigIntegerField(
        null=True, help_text="Peak on the GPU so far; on a CPU, what the process holds."
    )
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["step"]
        constraints = [models.UniqueConstraint(fields=["run", "split", "step"], name="metric_once")]


class SampleGeneration(models.Model):
    """The trained model's answer to one fixed validation prompt after a step."""

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="samples")
    step = models.PositiveIntegerField()
    index = models.PositiveSmallIntegerField(help_text="Which of the run's prompts, from 0.")
    row_id = models.CharField(max_length=200, help_text="The validation row that it comes from.")
    prompt = models.TextField()
    expected = models.TextField()
    text = models.TextField()
    truncated = models.BooleanField(default=False, help_text="Cut at the limit before the model ended it.")

    class Meta:
        ordering = ["step", "index"]
        constraints = [models.UniqueConstraint(fields=["run", "step", "index"], name="sample_once")]


class Upload(models.Model):
    """An uploaded file that becomes a dataset: stored once, mapped and checked as often as needed, and removed when
    it expires. It belongs to the user who uploaded it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100, help_text="Of the dataset that it shall become.")
    source_name = models.CharField(max_length=255)
    format = models.CharField(max_length=10)
    size_bytes = models.PositiveBigIntegerField()
    facts = models.JSONField(
        default=dict, help_text="How it was unpacked and converted before it was stored."
    )
    dataset = models.ForeignKey(Dataset, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-created_at"]

    @property
    def folder(self) -> Path:
        return Path(settings.ARTEFACT_DIR) / "uploads" / str(self.pk)

    @property
    def file(self) -> Path:
        return self.folder / "source"

    @property
    def report(self) -> Path:
        """Path of the CSV with every problem of the last check."""
        return self.folder / "problems.csv"

    @property
    def actions(self) -> tuple[actions.UploadAction, ...]:
        """The actions it allows now; reads its newest check."""
        check = self.imports.first()
        return actions.upload_actions(
            stored=self.dataset_id is not None, check_status=check.status if check else None
        )


class SavedMapping(models.Model):
    """The meaning of the columns of a kind of file, under a name, to be used for the next file."""

    class Kind(models.TextChoices):
        DATASET = "dataset", "Dataset"
        PROMPTS = "prompts", "Prompts"
        PAIRS = "pairs", "Pairs"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField(max_length=100)
    mapping = models.JSONField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["kind", "name"], name="saved_mapping_once")]

    def __str__(self) -> str:
        return self.name


class DatasetImport(Job):
    """The check of an upload that is too large for a request, and the dataset that it produces."""

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="imports")
    wishes = models.JSONField(
        help_text="Name, mapping of columns, shares, schema, and whether bad rows are left out."
    )
    problems = models.JSONField(default=list, help_text="The first rows that cannot be used.")

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]

    @property
    def part_done(self) -> float:
        return self.step / self.total_steps if self.total_steps else 0.0


class Measurement(Job):
    """A dataset tokenized with a base model's tokenizer: the length of every row, and sample rows as tokens with the
    trained ones marked."""

    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="measurements")
    base_model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="measurements")
    weights_hash = models.CharField(max_length=64, help_text="Of the base model that was measured with.")
    result = models.JSONField(default=dict, help_text="As `worker.ml.measure` reports it.")

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]

    @property
    def folder(self) -> Path:
        return Path(settings.ARTEFACT_DIR) / "runs" / str(self.pk)

    @property
    def actions(self) -> tuple[actions.JobAction, ...]:
        """The actions it allows now. A failed one needs no retry: start another measurement instead."""
        return actions.job_actions(self.status, cancel_requested=self.cancel_requested)
