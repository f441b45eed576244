"""Training runs and what they report."""

from typing import ClassVar

from django.db import models

from ftplatform.jobs.models import Job
from training import actions, checkpoints
from training.checkpoints import Checkpoint
from training.models.datasets import Dataset
from training.models.registry import ModelVersion


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
    def actions(self) -> tuple[actions.RunAction, ...]:
        """The actions it allows now."""
        return actions.run_actions(
            self.status, cancel_requested=self.cancel_requested, pause_requested=self.pause_requested
        )

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """The complete checkpoints now on disk, of all attempts, by step. A successful run keeps none."""
        return checkpoints.saved(self.folder)


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
