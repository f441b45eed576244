"""Forms of datasets, models and runs; they parse and say what is missing, the services decide."""

from typing import Any

from annotated_types import Ge, Gt, Le
from django import forms
from django.conf import settings
from pydantic.fields import FieldInfo

from ftplatform.accounts.models import User
from training import selectors
from training.config import TrainingConfig
from training.services.rows import ColumnMapping, too_large


def column_pairs(text: str) -> dict[str, str]:
    """`key=column` pairs, separated by commas or new lines; a bare name is both."""
    found: dict[str, str] = {}
    for part in text.replace("\n", ",").split(","):
        if part.strip():
            key, _, column = part.partition("=")
            found[key.strip()] = (column or key).strip()
    return found


class DatasetForm(forms.Form):
    name = forms.CharField(
        max_length=100, help_text="A new upload under the same name becomes its next version."
    )
    file = forms.FileField(
        help_text="JSON lines with instruction, input and output in each row; or CSV, UTF-8."
    )
    validation_percent = forms.FloatField(
        initial=10,
        min_value=0.1,
        max_value=90,
        label="Held out, in %",
        help_text="Rows kept for validation and comparison; a row's own `split` field takes precedence.",
    )
    instruction = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Only for CSV: what the model is asked to do, the same for every row.",
    )
    inputs = forms.CharField(
        required=False, label="Input columns", help_text="Only for CSV, as key=column, e.g. query=text."
    )
    outputs = forms.CharField(
        required=False, label="Output columns", help_text="Only for CSV, as key=column, e.g. intent=category."
    )

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        file = values.get("file")
        values["mapping"] = None
        if file and file.size > settings.UPLOAD_MAX_BYTES:
            self.add_error("file", too_large().detail)
        if file and file.name.lower().endswith(".csv"):
            for name in ("instruction", "inputs", "outputs"):
                if not values.get(name):
                    self.add_error(name, "A CSV needs this.")
            if not self.errors:
                values["mapping"] = ColumnMapping(
                    values["instruction"], column_pairs(values["inputs"]), column_pairs(values["outputs"])
                )
        return values


class BaseModelForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="How people will call it.")
    path = forms.CharField(
        max_length=1000,
        label="Folder",
        help_text="A local folder, as the workers see it, with config.json, safetensors and the tokenizer.",
    )


def _field(name: str, info: FieldInfo) -> forms.Field:
    """The form field for one hyper-parameter, with its range and its sentence of help."""
    label = name.replace("_", " ").capitalize().replace("Lora", "LoRA")
    common: dict[str, Any] = {"initial": info.default, "help_text": info.description or "", "label": label}
    choices = getattr(info.annotation, "__args__", None)
    if choices:
        return forms.ChoiceField(choices=[(choice, choice) for choice in choices], **common)
    for bound in info.metadata:
        if isinstance(bound, Ge | Gt):
            common["min_value"] = bound.ge if isinstance(bound, Ge) else bound.gt
        if isinstance(bound, Le):
            common["max_value"] = bound.le
    if info.annotation is bool:
        return forms.BooleanField(required=False, **common)
    if info.annotation is str:
        return forms.CharField(max_length=500, **common)
    if info.annotation is int:
        return forms.IntegerField(**common)
    return forms.FloatField(widget=forms.NumberInput(attrs={"step": "any"}), **common)


class LaunchForm(forms.Form):
    """Name, dataset, base model, then every field of TrainingConfig, made from its definition."""

    field_order = ("name", "dataset", "base_model")
    name = forms.CharField(max_length=80)
    # Drawn when the empty form is shown, so that a second click launches nothing new.
    idempotency_key = forms.CharField(max_length=100, widget=forms.HiddenInput)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["dataset"] = forms.ModelChoiceField(selectors.datasets(user=user))
        self.fields["base_model"] = forms.ModelChoiceField(
            selectors.base_models(user=user), label="Base model"
        )
        for name, info in TrainingConfig.model_fields.items():
            self.fields[name] = _field(name, info)

    @property
    def config_values(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in TrainingConfig.model_fields}
