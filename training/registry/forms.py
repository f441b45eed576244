"""Forms for registering models and for their stage and licence."""

from django import forms

from training.models import ModelVersion
from training.runs.forms import LICENCE_HELP


class BaseModelForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="How people will call it.")
    path = forms.CharField(
        max_length=1000,
        label="Folder",
        help_text="A local folder, as the workers see it, with config.json, safetensors and the tokenizer.",
    )
    licence = forms.CharField(max_length=100, required=False, help_text=LICENCE_HELP)


class DownloadForm(forms.Form):
    prefix = "hub"
    name = forms.CharField(max_length=100, help_text="How people will call it.")
    reference = forms.CharField(
        max_length=200,
        label="Model and commit",
        help_text="organisation/name@commit, the commit with all its 40 digits: a branch can be moved to other files.",
    )
    licence = forms.CharField(max_length=100, required=False, help_text=LICENCE_HELP)
    confirmed = forms.BooleanField(
        label="A worker may download this model and keep it on this installation's disk."
    )


class ExternalModelForm(forms.Form):
    prefix = "external"
    name = forms.CharField(
        max_length=100,
        help_text="How people will call it; the operator's file of endpoints uses this name too.",
    )


class StageForm(forms.Form):
    stage = forms.ChoiceField(choices=ModelVersion.Stage.choices, label="New stage")
    reason = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 2}),
        max_length=2000,
        help_text="Kept with the model, and in the audit log.",
    )


class LicenceForm(forms.Form):
    licence = forms.CharField(max_length=100, required=False, help_text=LICENCE_HELP)
