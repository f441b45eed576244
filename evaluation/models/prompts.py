"""Prompt sets: the inputs that models answer."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models

from evaluation.scoring.measures.checks import CHECKS
from training.models import Dataset


class PromptSet(models.Model):
    """Inputs to compare on, with expected outputs where available."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100, unique=True)
    dataset = models.ForeignKey(
        Dataset, null=True, blank=True, on_delete=models.PROTECT, related_name="prompt_sets"
    )
    source = models.CharField(max_length=300, blank=True, help_text="Where the prompts come from, in words.")
    size = models.PositiveIntegerField()
    field_rules = models.JSONField(
        default=dict, help_text="Field path → how it is compared, see evaluation.scoring.matching.declared."
    )
    schema = models.JSONField(default=dict, help_text="JSON Schema of a right output; {} for none.")
    check_name = models.CharField(
        max_length=20, blank=True, choices=[(name, name) for name in CHECKS], help_text="Of a safety check."
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name


class Prompt(models.Model):
    prompt_set = models.ForeignKey(PromptSet, on_delete=models.CASCADE, related_name="prompts")
    key = models.CharField(max_length=200, help_text="The row's id in its source.")
    instruction = models.TextField()
    input = models.JSONField()
    messages = models.JSONField(
        default=list, help_text="The turns before the response of a conversation; [] for the short form."
    )
    tools = models.JSONField(default=list, help_text="What the assistant may call, in OpenAI's form.")
    expected = models.JSONField(null=True)
    tags = models.JSONField(default=dict, help_text="name → short text: what a comparison is sliced by.")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["prompt_set", "key"], name="prompt_key")]

    @property
    def content(self) -> dict[str, Any]:
        """What models are asked, as in a row of a dataset: `instruction` and `input`, or `messages` and, if there are
        any, `tools`."""
        if not self.messages:
            return {"instruction": self.instruction, "input": self.input}
        return {"messages": self.messages} | ({"tools": self.tools} if self.tools else {})


class PromptTag(models.Model):
    """One tag of a prompt as a row, so that pairs can be filtered by it. `Prompt.tags` has all of them."""

    prompt_set = models.ForeignKey(PromptSet, on_delete=models.CASCADE, related_name="+")
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=200)
    value = models.CharField(max_length=60)

    class Meta:
        indexes = [models.Index(fields=["prompt_set", "name", "value", "prompt"], name="prompt_tag_list")]
        constraints = [models.UniqueConstraint(fields=["prompt", "name"], name="prompt_tag_once")]


class LeakageCheck(models.Model):
    """Whether prompts are, exactly or nearly, in the rows that a dataset trains on.

    A finding that was overridden keeps its reason.
    """

    prompt_set = models.ForeignKey(PromptSet, on_delete=models.CASCADE, related_name="leakage_checks")
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="+")
    exact = models.PositiveIntegerField(help_text="Prompts that are a training row.")
    near = models.PositiveIntegerField(help_text="Prompts that are nearly one.")
    examples = models.JSONField(default=list, help_text="[{key, train_id, similarity}], the first few.")
    reason = models.TextField(blank=True, help_text="Why the prompts are used all the same.")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["prompt_set", "dataset"], name="leakage_check_once"),
            models.CheckConstraint(
                condition=models.Q(exact=0, near=0) | ~models.Q(reason=""), name="leakage_needs_reason"
            ),
        ]
