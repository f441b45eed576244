"""Forms of prompt sets, comparisons and campaigns; they parse and say what is missing, the services decide."""

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
    "max_new_tokens": "Longest response, in tokens",
    "top_p": "Nucleus (top p)",
    "samples": "Responses to each prompt",
    "batch_size": "Written together",
    "latency_prompts": "Prompts measured alone",
    "quantisation": "Base in memory",
}


ADVANCED = ("top_p", "seed", "batch_size", "quantisation", "latency_prompts")


class CandidatesField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """Models by name, each with what it is."""

    widget = forms.CheckboxSelectMultiple

    def label_from_instance(self, model: ModelVersion) -> str:
        kind = model.get_kind_display().lower()
        return f"{model} ({kind} on {model.base})" if model.base else f"{model} ({kind})"


class ComparisonForm(forms.Form):
    """What is compared, then every field of DecodingConfig, made from its definition."""

    field_order = ("name", "prompt_set", "candidates", "baseline", "engine")
    name = forms.CharField(max_length=100, help_text="What people will call it.")
    leakage_reason = forms.CharField(
        required=False,
        max_length=1000,
        label="Reason, if a model was trained on some of the prompts",
        help_text="Such prompts are refused without one; with one, it stands beside the results.",
    )
    idempotency_key = forms.CharField(max_length=100, widget=forms.HiddenInput)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        engines = [
            (endpoints.LOCAL, "This installation's workers"),
            *((name, name) for name in endpoints.configured()),
        ]
        elsewhere = len(engines) > 1
        self.fields["prompt_set"] = forms.ModelChoiceField(access.prompt_sets(user=user), label="Prompt set")
        self.fields["candidates"] = CandidatesField(
            training_access.served_models(user=user)
            if elsewhere
            else training_access.tuned_models(user=user),
            label="Candidates",
            help_text="One tuned model or several; each is compared with the same baseline.",
        )
        self.fields["baseline"] = forms.ModelChoiceField(
            training_access.served_models(user=user)
            if elsewhere
            else training_access.local_models(user=user),
            required=False,
            empty_label="The base of the first candidate",
            help_text="Or an earlier adapter on that base: does the new one beat it?",
        )
        self.fields["engine"] = forms.ChoiceField(
            choices=engines,
            initial=endpoints.LOCAL,
            help_text="An operator names endpoints that serve models elsewhere."
            if elsewhere
            else "The only engine, as long as the operator has named no endpoint.",
        )
        for name, info in DecodingConfig.model_fields.items():
            self.fields[name] = config_field(name, info)
            self.fields[name].label = DECODING_LABELS.get(name, self.fields[name].label)
        self.order_fields(self.field_order)

    def refuse(self, error: DomainError) -> None:
        """Show a refusal beside the fields that it names, or above the form."""
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
