"""What the two models are asked."""

import uuid

from django.conf import settings
from django.db import models

from training.models import Dataset


class PromptSet(models.Model):
    """Inputs to compare on, with the expected output where there is one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100, unique=True)
    dataset = models.ForeignKey(
        Dataset, null=True, blank=True, on_delete=models.PROTECT, related_name="prompt_sets"
    )
    size = models.PositiveIntegerField()
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
    expected = models.JSONField(null=True)
    tags = models.JSONField(default=dict, help_text="name → short text: what a comparison is sliced by.")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["prompt_set", "key"], name="prompt_key")]
