"""Forms of prompt sets and of pairs made elsewhere; they parse and say what is missing, the services decide."""

import json
from typing import Any

from django import forms
from django.conf import settings

from ftplatform.accounts.models import User
from training import access as training_access
from training.intake.forms import column_pairs
from training.intake.readers.lines import too_large
from training.intake.rows import ColumnMapping

TYPED_ROWS, MOST_TYPED_ROWS = 5, 50


class PromptSetForm(forms.Form):
    """What every way of making a prompt set asks."""

    name = forms.CharField(max_length=100)
    leakage_reason = forms.CharField(
        required=False,
        max_length=1000,
        label="Reason, if prompts were trained on",
        help_text="Prompts that stand in the training split are refused without a reason; with one, it stands beside "
        "the results.",
    )

    @property
    def chosen_tags(self) -> list[str] | None:
        named = [name.strip() for name in self.cleaned_data["tag_fields"].split(",")]
        return [name for name in named if name] or None


def _limit() -> forms.IntegerField:
    return forms.IntegerField(
        required=False, min_value=1, max_value=100_000, help_text="At most so many prompts; all unless told."
    )


def _tags() -> forms.CharField:
    return forms.CharField(
        required=False,
        max_length=1000,
        label="Tags from input fields",
        help_text="Names separated by commas, e.g. issue_type, customer.tier; the comparison is sliced by them. "
        "Unless told, fields with few values are taken.",
    )


class HeldOutForm(PromptSetForm):
    field_order = ("name", "dataset", "limit", "tag_fields", "leakage_reason")
    limit = _limit()
    tag_fields = _tags()

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["dataset"] = forms.ModelChoiceField(
            training_access.datasets(user=user), help_text="Its held-out rows become the prompts."
        )
        self.order_fields(self.field_order)


class _UploadForm(forms.Form):
    file = forms.FileField()

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > settings.UPLOAD_MAX_BYTES:
            raise forms.ValidationError(too_large().detail)
        return file


class PromptFileForm(PromptSetForm, _UploadForm):
    field_order = ("name", "file", "against", "limit", "tag_fields", "leakage_reason")
    limit = _limit()
    tag_fields = _tags()
    instruction = forms.CharField(
        required=False,
        label="Instruction",
        help_text="What the model is asked to do, the same for every row.",
    )
    inputs = forms.CharField(
        required=False, label="Input columns", help_text="As key=column, e.g. query=text."
    )
    outputs = forms.CharField(
        required=False, label="Output columns", help_text="As key=column, e.g. intent=category."
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["against"] = _against(user)
        self.order_fields(self.field_order)

    @property
    def mapping(self) -> ColumnMapping | None:
        values = self.cleaned_data
        if not (values["instruction"] or values["inputs"] or values["outputs"]):
            return None
        return ColumnMapping(
            values["instruction"], column_pairs(values["inputs"]), column_pairs(values["outputs"])
        )


class TypedForm(PromptSetForm):
    """The head of the form whose body is a `TypedRows`."""

    field_order = ("name", "against", "leakage_reason")

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
        help_text="Text, or a JSON object to be compared field by field.",
    )


TypedRows = forms.formset_factory(
    TypedRow, extra=TYPED_ROWS, max_num=MOST_TYPED_ROWS, absolute_max=MOST_TYPED_ROWS
)


class PairsForm(_UploadForm):
    field_order = ("name", "file", "baseline", "candidate")
    name = forms.CharField(max_length=100, help_text="What people will call the comparison.")
    baseline = forms.CharField(
        max_length=100, label="Baseline system", help_text="Whose responses the column ‘baseline’ holds."
    )
    candidate = forms.CharField(
        max_length=100, label="Candidate system", help_text="Whose responses the column ‘candidate’ holds."
    )


class DeclareForm(forms.Form):
    field_rules = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "false", "class": "mono"}),
        label="How each field is compared",
        help_text="One entry per field with its kind: exact, text, number (with tolerance or relative_tolerance), set, "
        "one_of (with options), similar (free text), ignored.",
    )

    def clean_comparisons(self) -> dict[str, Any]:
        try:
            value = json.loads(self.cleaned_data["field_rules"])
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(f"Not JSON: {error}.") from None
        if not isinstance(value, dict):
            raise forms.ValidationError("It must be an object: field → {kind}.")
        return value


def _against(user: User) -> "forms.ModelChoiceField[Any]":
    return forms.ModelChoiceField(
        training_access.datasets(user=user),
        required=False,
        label="Check against the training split of",
        empty_label="No dataset now; it is checked when models are compared",
    )
