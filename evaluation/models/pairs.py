"""Comparisons, their responses, and the pairs that reviewers see."""

from functools import cached_property
from typing import ClassVar

from django.db import models

from evaluation.models.comparison_actions import ComparisonAction, open_actions
from evaluation.models.prompts import Prompt, PromptSet
from ftplatform.jobs.models import Job
from training.models import ModelVersion


class Comparison(Job):
    """A job in which a baseline and one or more candidates answer the same prompts with the same decoding settings.

    Its models are frozen at launch.
    """

    LOCAL = "local"
    IMPORT = "import"

    name = models.CharField(max_length=100)
    prompt_set = models.ForeignKey(PromptSet, on_delete=models.PROTECT, related_name="comparisons")
    baseline = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    engine = models.CharField(
        max_length=60, default=LOCAL, help_text="local, import, or the name of a configured endpoint."
    )
    decoding = models.JSONField()
    parameters = models.JSONField(
        default=dict, help_text="Request parameter → its name at the endpoint; an empty name leaves it out."
    )
    facts = models.JSONField(
        default=dict, help_text="Device, quantisation, merge state, as the worker reported."
    )
    without_missing = models.BooleanField(
        default=False, help_text="Somebody decided to compare only the prompts that every model answered."
    )

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]

    def __str__(self) -> str:
        return self.name

    @cached_property
    def candidates(self) -> list[ModelVersion]:
        """The candidates in launch order. For many comparisons, prefetch `comparison_candidates__model`."""
        return [row.model for row in self.comparison_candidates.all()]

    @property
    def candidate(self) -> ModelVersion:
        """The only candidate, or the first of several."""
        return self.candidates[0]

    @property
    def model_versions(self) -> list[ModelVersion]:
        """All models that answer: the baseline, then the candidates."""
        return [self.baseline, *self.candidates]

    @property
    def samples(self) -> int:
        """Number of responses per model and prompt."""
        return int(self.decoding.get("samples", 1))

    @property
    def is_imported(self) -> bool:
        """Whether the responses were generated elsewhere. Then there are no settings, and no worker can generate
        more."""
        return self.engine == self.IMPORT

    @cached_property
    def has_figures(self) -> bool:
        """Whether figures of a candidate are stored. `selectors.comparison_document.with_figures` reads this for
        many."""
        return self.figures.exclude(figures={}).exists()

    @property
    def actions(self) -> tuple[ComparisonAction, ...]:
        """The actions that are available now."""
        return open_actions(
            status=self.status,
            cancel_requested=self.cancel_requested,
            pause_requested=self.pause_requested,
            error_code=self.error_code,
            imported=self.is_imported,
            figures=self.status == self.Status.SUCCEEDED and self.has_figures,
        )


class ComparisonCandidate(models.Model):
    """A model that a comparison compares with its baseline."""

    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="comparison_candidates")
    model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="compared_in")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["comparison", "model"], name="run_candidate_once"),
            models.UniqueConstraint(fields=["comparison", "position"], name="run_candidate_position"),
        ]


class Response(models.Model):
    """One model's text for one prompt, with its cost. Values that an import does not provide are NULL."""

    class FinishReason(models.TextChoices):
        STOP = "stop", "Ended by itself"
        LENGTH = "length", "Cut at the limit"
        FILTER = "filter", "Cut by the engine's content filter"
        UNKNOWN = "unknown", "Not recorded"

    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="responses")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="+")
    model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    sample = models.PositiveSmallIntegerField(default=0, help_text="0 for the first response to a prompt.")
    text = models.TextField(blank=True)
    input_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    batch_latency_ms = models.FloatField(
        null=True,
        help_text="From the start of its batch to its own end, among others: throughput, not what a user waits.",
    )
    batch_size = models.PositiveIntegerField(null=True)
    finish_reason = models.CharField(max_length=10, choices=FinishReason, default=FinishReason.UNKNOWN)
    finish_word = models.CharField(
        max_length=40,
        blank=True,
        db_default="",
        help_text="The endpoint's own word for the reason, if one answered.",
    )
    match = models.JSONField(
        null=True, help_text="How it matches, field by field; see evaluation.scoring.scorer."
    )
    measures = models.JSONField(null=True, help_text="Its text in numbers, see evaluation.scoring.scorer.")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["comparison", "prompt", "model", "sample"], name="response_once")
        ]


class Timing(models.Model):
    """One single-stream measurement: nothing else in the batch, after warm-up, sides in random order."""

    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="timings")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="+")
    model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    repetition = models.PositiveSmallIntegerField(default=0)
    place = models.PositiveIntegerField(default=0, help_text="Place in the order in which all were measured.")
    input_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    first_token_ms = models.FloatField(null=True, help_text="From the request to the first token.")
    total_ms = models.FloatField(help_text="From the request to the end of the response.")

    class Meta:
        ordering = ["place", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["comparison", "prompt", "model", "repetition"], name="timing_once"
            )
        ]

    @property
    def token_ms(self) -> float | None:
        """Milliseconds per output token after the first; None if not measured."""
        if self.first_token_ms is None or not self.output_tokens or self.output_tokens < 2:
            return None
        return (self.total_ms - self.first_token_ms) / (self.output_tokens - 1)


class Failure(models.Model):
    """Why a response failed. Deleted once the response is stored. Its text is never used as a response."""

    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="failures")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="+")
    model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    sample = models.PositiveSmallIntegerField(default=0)
    code = models.CharField(max_length=60)
    message = models.TextField()
    at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["comparison", "prompt", "model", "sample"], name="failure_once")
        ]


class Pair(models.Model):
    """The baseline's and one candidate's response to a prompt. Created when all responses are complete."""

    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="pairs")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="+")
    candidate_model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    sample = models.PositiveSmallIntegerField(default=0)
    baseline_response = models.ForeignKey(Response, on_delete=models.CASCADE, related_name="+")
    candidate_response = models.OneToOneField(Response, on_delete=models.CASCADE, related_name="+")
    score_change = models.FloatField(
        null=True, help_text="Candidate's less baseline's share of judged fields right."
    )

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["comparison", "candidate_model", "sample", "id"], name="pair_list"),
            models.Index(fields=["comparison", "candidate_model", "score_change", "id"], name="pair_change"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["comparison", "prompt", "candidate_model", "sample"], name="pair_once"
            )
        ]

    def response(self, side: str) -> Response:
        """The response of `side`, "baseline" or "candidate"."""
        return {"baseline": self.baseline_response, "candidate": self.candidate_response}[side]


class ComparisonFigures(models.Model):
    """The automatic figures of a comparison's baseline and one candidate, computed once and read by all pages."""

    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="figures")
    candidate = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    figures = models.JSONField(help_text="See evaluation.scoring.summary.")
    made_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["comparison", "candidate"], name="comparison_once")]


class FieldChange(models.Model):
    """A field that is right on one side of a pair only. Fields that are right or wrong on both sides have no row."""

    figures = models.ForeignKey(ComparisonFigures, on_delete=models.CASCADE, related_name="changes")
    pair = models.ForeignKey(Pair, on_delete=models.CASCADE, related_name="changes")
    field = models.CharField(max_length=200)
    change = models.SmallIntegerField(help_text="1: right on the candidate's side; -1: on the baseline's.")

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["figures", "field", "change", "pair"], name="field_change_list")]
        constraints = [models.UniqueConstraint(fields=["pair", "field"], name="field_change_once")]
