"""Generation runs, their responses, and the pairs that reviewers see."""

from typing import ClassVar

from django.db import models

from evaluation.models.prompts import Prompt, PromptSet
from ftplatform.jobs.models import Job
from training.models import ModelVersion


class GenerationRun(Job):
    """One job that makes responses of two ModelVersions for a PromptSet, with the same decoding."""

    name = models.CharField(max_length=100)
    prompt_set = models.ForeignKey(PromptSet, on_delete=models.PROTECT, related_name="generation_runs")
    baseline = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    candidate = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    decoding = models.JSONField()
    facts = models.JSONField(
        default=dict, help_text="Device, quantisation, merge state, as the worker reported."
    )

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]

    def __str__(self) -> str:
        return self.name


class Response(models.Model):
    """One model's text for one prompt, with what it cost."""

    class Role(models.TextChoices):
        BASELINE = "baseline", "Baseline"
        CANDIDATE = "candidate", "Candidate"

    class FinishReason(models.TextChoices):
        STOP = "stop", "Ended by itself"
        LENGTH = "length", "Cut at the limit"

    run = models.ForeignKey(GenerationRun, on_delete=models.CASCADE, related_name="responses")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=10, choices=Role)
    text = models.TextField(blank=True)
    input_tokens = models.PositiveIntegerField()
    output_tokens = models.PositiveIntegerField()
    latency_ms = models.FloatField(help_text="From the start of its batch to its own end.")
    batch_size = models.PositiveSmallIntegerField()
    finish_reason = models.CharField(max_length=10, choices=FinishReason)
    match = models.JSONField(null=True, help_text="Expected output against this text, field by field.")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["run", "prompt", "role"], name="response_once")]


class Pair(models.Model):
    """The two responses for one prompt; made when both sides are complete."""

    run = models.ForeignKey(GenerationRun, on_delete=models.CASCADE, related_name="pairs")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="+")
    baseline = models.OneToOneField(Response, on_delete=models.CASCADE, related_name="+")
    candidate = models.OneToOneField(Response, on_delete=models.CASCADE, related_name="+")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["run", "prompt"], name="pair_once")]
