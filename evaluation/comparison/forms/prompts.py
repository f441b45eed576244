"""Forms of prompt sets and of imported pairs. They parse input and report what is missing; services decide."""

import json
from typing import Any

from django import forms
from django.conf import settings

from ftplatform.accounts.models import User
from training import access as training_access
from training.intake.column_mapping import ColumnMapping
from training.intake.forms import column_pairs
from training.intake.readers.lines import too_large

TYPED_ROWS, MOST_TYPED_ROWS = 5, 50


class PromptSetForm(forms.Form):
    """Fields common to all sources of prompts."""

    columns: tuple[str, ...] = ()

    name = forms.CharField(max_length=100)
    leakage_reason = forms.CharField(
        required=False,
        max_length=1000,
        label="Reason to use prompts from the training data",
        help_text="Without a reason, such prompts are refused. The reason is shown with the results.",
    )
    leave_out_leaked = forms.BooleanField(
        required=False,
        label="Leave out prompts from the training data",
        help_text="Then no reason is needed.",
    )

    @property
    def chosen_tags(self) -> list[str] | None:
        named = [name.strip() for name in self.cleaned_data["tag_fields"].split(",")]
        return [name for name in named if name] or None

    def main_fields(self) -> list[forms.BoundField]:
        return [field for field in self if field.name not in self.columns]

    def column_fields(self) -> list[forms.BoundField]:
        """Fields that map columns with other names."""
        return [self[name] for name in self.columns]

    def has_mapping(self) -> bool:
        return any(field.value() for field in self.column_fields())


def _limit() -> forms.IntegerField:
    return forms.IntegerField(
        required=False,
        min_value=1,
        max_value=100_000,
        label="Maximum number of prompts",
        help_text="Empty: all.",
    )


def _tags() -> forms.CharField:
    return forms.CharField(
        required=False,
        max_length=1000,
        label="Tags from input fields",
        help_text="Comma-separated field names, e.g. issue_type, customer.tier. The comparison shows results by tag. "
        "Empty: fields with few distinct values.",
    )


class HeldOutForm(PromptSetForm):
    field_order = ("name", "dataset", "limit", "tag_fields", "leakage_reason", "leave_out_leaked")
    limit = _limit()
    tag_fields = _tags()

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["dataset"] = forms.ModelChoiceField(
            training_access.datasets(user=user),
            empty_label="Choose a dataset",
            help_text="The prompts come from its held-out rows.",
        )
        self.order_fields(self.field_order)


class _UploadForm(forms.Form):
    file = forms.FileField()

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > settings.UPLOAD_MAX_BYTES:
            raise forms.ValidationError(too_large().detail)
        return file


class PromptOptionsForm(PromptSetForm):
    """The name and options of a prompt set whose rows come from a file."""

    field_order: tuple[str, ...] = (
        "name",
        "against",
        "limit",
        "tag_fields",
        "leakage_reason",
        "leave_out_leaked",
    )
    limit = _limit()
    tag_fields = _tags()

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["against"] = _against(user)
        self.order_fields(self.field_order)


class PromptFileForm(PromptOptionsForm, _UploadForm):
    field_order = ("name", "file", "against", "limit", "tag_fields", "leakage_reason", "leave_out_leaked")
    columns = ("instruction", "inputs", "outputs")
    instruction = forms.CharField(
        required=False,
        label="Instruction",
        help_text="What the model is asked to do in every row.",
    )
    inputs = forms.CharField(
        required=False, label="Input columns", help_text="As key=column, e.g. query=text."
    )
    outputs = forms.CharField(
        required=False, label="Output columns", help_text="As key=column, e.g. intent=category."
    )

    @property
    def mapping(self) -> ColumnMapping | None:
        values = self.cleaned_data
        if not (values["instruction"] or values["inputs"] or values["outputs"]):
            return None
        return ColumnMapping(
            values["instruction"], column_pairs(values["inputs"]), column_pairs(values["outputs"])
        )


class TypedForm(PromptSetForm):
    """The name and options of a prompt set whose rows are entered in a `TypedRows` formset."""

    field_order = ("name", "against", "leakage_reason", "leave_out_leaked")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["against"] = _against(user)
        self.order_fields(self.field_order)


class TypedRow(forms.Form):
    prompt = forms.CharField(
        required=False, strip=False, widget=forms.Textarea(attrs={"rows": 2}), label="Prompt"
    )
    expected = forms.CharField(
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        label="Expected output",
        help_text="Text, or a JSON object that is matched field by field.",
    )


TypedRows = forms.formset_factory(
    TypedRow, extra=TYPED_ROWS, max_num=MOST_TYPED_ROWS, absolute_max=MOST_TYPED_ROWS
)


class PairNamesForm(forms.Form):
    """The names of a comparison of imported pairs and of its two systems."""

    name = forms.CharField(max_length=100, help_text="Name of the comparison.")
    baseline = forms.CharField(
        max_length=100,
        label="Baseline system",
        help_text="The system whose responses are in the column “baseline”.",
    )
    candidate = forms.CharField(
        max_length=100,
        label="Candidate system",
        help_text="The system whose responses are in the column “candidate”.",
    )


class PairsForm(PairNamesForm, _UploadForm):
    field_order = ("name", "file", "baseline", "candidate")


class DeclareForm(forms.Form):
    field_rules = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "false", "class": "mono"}),
        label="Match of each field",
        help_text="One entry per field with its kind: exact, text, number (tolerance or relative_tolerance), set, "
        "one_of (options), similar (free text) or ignored.",
    )

    def clean_field_rules(self) -> dict[str, Any]:
        try:
            value = json.loads(self.cleaned_data["field_rules"])
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(f"Enter valid JSON: {error}.") from None
        if not isinstance(value, dict):
            raise forms.ValidationError("Enter an object with one entry per field: field → {kind}.")
        return value


def _against(user: User) -> "forms.ModelChoiceField[Any]":
    return forms.ModelChoiceField(
        training_access.datasets(user=user),
        required=False,
        label="Check against the training split of",
        empty_label="No dataset (checked when models are compared)",
    )
