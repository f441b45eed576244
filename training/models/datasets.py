"""Datasets and the uploads that become one."""

import uuid
from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.db import models

from ftplatform.jobs.models import Job
from training import actions
from training.models.registry import ModelVersion


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
    def actions(self) -> tuple[actions.JobAction, ...]:
        """The actions it allows now. A failed one needs no retry: start another measurement instead."""
        return actions.job_actions(self.status, cancel_requested=self.cancel_requested)
