"""Forms of datasets, models and runs. They parse input and report missing values; the services decide."""

from dataclasses import dataclass
from typing import Any

from annotated_types import Ge, Gt, Le
from django import forms
from django.db.models import QuerySet
from pydantic.fields import FieldInfo

from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from training import access
from training.config import TrainingConfig
from training.models import ModelVersion
from training.runs.hyperparameters import CHOICES, label

PRIORITIES = [(-10, "Low"), (0, "Normal"), (10, "High")]


LICENCE_HELP = (
    "The publisher's name for it, e.g. apache-2.0. It is shown on the card of every model made from this one."
)


def _range(info: FieldInfo) -> str:
    low = next((bound for bound in info.metadata if isinstance(bound, Ge | Gt)), None)
    high = next((bound.le for bound in info.metadata if isinstance(bound, Le)), None)
    if low is None or high is None:
        return ""
    return (
        f" From {low.ge:,} to {high:,}." if isinstance(low, Ge) else f" Above {low.gt:,}, at most {high:,}."
    )


def config_field(name: str, info: FieldInfo) -> forms.Field:
    """The form field for one configuration field, with its range and help text."""
    common: dict[str, Any] = {
        "initial": info.default,
        "help_text": info.description or "",
        "label": label(name),
    }
    choices = getattr(info.annotation, "__args__", None)
    if choices:
        return forms.ChoiceField(
            choices=[(choice, CHOICES.get(choice, choice)) for choice in choices], **common
        )
    for bound in info.metadata:
        if isinstance(bound, Ge | Gt):
            common["min_value"] = bound.ge if isinstance(bound, Ge) else bound.gt
        if isinstance(bound, Le):
            common["max_value"] = bound.le
    if info.annotation is bool:
        return forms.BooleanField(required=False, **common)
    if info.annotation is str:
        return forms.CharField(max_length=500, **common)
    common["help_text"] += _range(info)
    if info.annotation is int:
        return forms.IntegerField(**common)
    return forms.FloatField(widget=forms.NumberInput(attrs={"step": "any"}), **common)


@dataclass(frozen=True)
class Group:
    """Fields under one heading of the launch page."""

    title: str
    names: tuple[str, ...]
    advanced: bool = True


GROUPS = (
    Group("Method", ("method", "lora_r", "lora_alpha"), advanced=False),
    Group("Learning", ("epochs", "learning_rate", "schedule"), advanced=False),
    Group("Batch and length", ("batch_size", "gradient_accumulation", "max_length"), advanced=False),
    Group("Adapter", ("lora_dropout", "targets", "initialisation", "rslora", "dora")),
    Group("Optimizer", ("optimizer", "warmup_fraction", "weight_decay", "max_grad_norm")),
    Group("Validation and stopping", ("evaluate_every", "patience", "sample_prompts", "max_hours")),
    Group(
        "Batches and devices",
        ("batching", "trained_turns", "long_rows", "devices", "checkpoint_every", "keep_checkpoints", "seed"),
    ),
)


class LaunchForm(forms.Form):
    """Name, dataset, base model, then every field of TrainingConfig, generated from its definition."""

    field_order = ("name", "dataset", "base_model", "priority")
    name = forms.CharField(max_length=80)
    priority = forms.TypedChoiceField(
        choices=PRIORITIES, coerce=int, initial=0, help_text="Runs with a higher priority start first."
    )
    # Generated with the empty form, so that a second click does not launch another run.
    idempotency_key = forms.CharField(max_length=100, widget=forms.HiddenInput)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["dataset"] = forms.ModelChoiceField(
            access.datasets(user=user), empty_label="Choose a dataset", help_text="The rows to train on."
        )
        self.fields["base_model"] = forms.ModelChoiceField(
            access.base_models(user=user),
            label="Base model",
            empty_label="Choose a base model",
            help_text="The model to fine-tune.",
        )
        for name, info in TrainingConfig.model_fields.items():
            self.fields[name] = config_field(name, info)
        self.order_fields(self.field_order)

    @property
    def base_models(self) -> QuerySet[ModelVersion]:
        field: Any = self.fields["base_model"]
        models: QuerySet[ModelVersion] = field.queryset
        return models

    def refuse(self, error: DomainError) -> None:
        """Show an error beside the fields that it names, or above the form."""
        for problem in error.problems or [{"message": error.detail}]:
            field = problem.get("field")
            self.add_error(field if field in self.fields else None, problem["message"])

    @property
    def config_values(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in TrainingConfig.model_fields}

    def groups(self, *, advanced: bool) -> list[tuple[str, list[forms.BoundField]]]:
        """The hyper-parameters grouped by heading."""
        wanted = (group for group in GROUPS if group.advanced == advanced)
        return [(group.title, [self[name] for name in group.names]) for group in wanted]

    def basic_groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        return self.groups(advanced=False)

    def advanced_groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        return self.groups(advanced=True)


class RetryForm(forms.Form):
    from_step = forms.IntegerField(min_value=0)
    idempotency_key = forms.CharField(max_length=100)


class PriorityForm(forms.Form):
    priority = forms.TypedChoiceField(choices=PRIORITIES, coerce=int)
