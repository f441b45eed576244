"""Forms of prompt sets, comparisons and campaigns. They parse input and report what is missing; services decide."""

from typing import Any

from django import forms

from evaluation import access
from evaluation.comparison import engines as endpoints
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from training import access as training_access
from training.config import DecodingConfig
from training.models import ModelVersion
from training.runs.forms import config_field

DECODING_LABELS = {
    "max_new_tokens": "Maximum response length",
    "top_p": "Top p (nucleus sampling)",
    "samples": "Responses per prompt",
    "batch_size": "Batch size",
    "latency_prompts": "Prompts for single-stream latency",
    "quantisation": "Quantisation of the base model",
}


ADVANCED = ("top_p", "seed", "batch_size", "quantisation", "latency_prompts")


class CandidatesField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """A choice of models, shown by name and kind."""

    widget = forms.CheckboxSelectMultiple

    def label_from_instance(self, model: ModelVersion) -> str:
        kind = model.get_kind_display().lower()
        return f"{model} ({kind} on {model.base})" if model.base else f"{model} ({kind})"


class ParametersField(forms.CharField):
    """Request parameters with their names at an endpoint, one a line: `max_tokens = max_completion_tokens`."""

    widget = forms.Textarea(attrs={"rows": 2})

    def clean(self, value: Any) -> dict[str, str]:
        names: dict[str, str] = {}
        for number, line in enumerate((super().clean(value) or "").splitlines(), start=1):
            parameter, sign, name = (part.strip() for part in line.partition("="))
            if not line.strip():
                continue
            if not sign:
                raise forms.ValidationError(
                    f"Line {number} has no =. Write, for example, seed = for no seed."
                )
            if parameter in names:
                raise forms.ValidationError(f"Line {number} has {parameter} again. Remove one of the lines.")
            names[parameter] = name
        return names


class ComparisonForm(forms.Form):
    """The models and prompts to compare, and all fields of DecodingConfig, generated from its definition."""

    field_order = ("name", "prompt_set", "candidates", "baseline", "engine")
    name = forms.CharField(max_length=100, help_text="Shown in lists and reports.")
    parameters = ParametersField(
        required=False,
        max_length=1000,
        label="Request parameters",
        help_text="For an endpoint that has other names than max_tokens, temperature, top_p and seed. One a line: "
        "max_tokens = max_completion_tokens sends it under that name, seed = leaves it out.",
    )
    leakage_reason = forms.CharField(
        required=False,
        max_length=1000,
        label="Reason to use prompts that a model was trained on",
        help_text="Required if there are such prompts and you do not leave them out. Shown with the results.",
    )
    leave_out_leaked = forms.BooleanField(
        required=False,
        label="Leave out prompts that a model was trained on",
        help_text="Creates a prompt set without them.",
    )
    idempotency_key = forms.CharField(max_length=100, widget=forms.HiddenInput)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        engines = [
            (endpoints.LOCAL, "Workers of this site"),
            *((name, name) for name in endpoints.configured()),
        ]
        elsewhere = len(engines) > 1
        self.fields["prompt_set"] = forms.ModelChoiceField(
            access.prompt_sets(user=user), label="Prompt set", empty_label="Choose a prompt set"
        )
        self.fields["candidates"] = CandidatesField(
            training_access.served_models(user=user)
            if elsewhere
            else training_access.tuned_models(user=user),
            label="Candidates",
            help_text="One or more tuned models. Each is compared with the same baseline.",
        )
        self.fields["baseline"] = forms.ModelChoiceField(
            training_access.served_models(user=user)
            if elsewhere
            else training_access.local_models(user=user),
            required=False,
            empty_label="Base model of the first candidate",
            help_text="You can also choose an earlier adapter of the same base model.",
        )
        self.fields["engine"] = forms.ChoiceField(
            choices=engines,
            initial=endpoints.LOCAL,
            help_text="The site operator configures endpoints that serve models elsewhere."
            if elsewhere
            else "The site operator has configured no other endpoints.",
        )
        for name, info in DecodingConfig.model_fields.items():
            self.fields[name] = config_field(name, info)
            self.fields[name].label = DECODING_LABELS.get(name, self.fields[name].label)
        self.order_fields(self.field_order)

    def refuse(self, error: DomainError) -> None:
        """Show an error at the fields it names, or above the form."""
        for problem in error.problems or [{"message": error.detail}]:
            field = problem.get("field")
            self.add_error(field if field in self.fields else None, problem["message"])

    @property
    def decoding_values(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in DecodingConfig.model_fields}

    def decoding_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in DecodingConfig.model_fields if name not in ADVANCED]

    def advanced_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ADVANCED]
