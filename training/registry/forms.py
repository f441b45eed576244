"""Forms for registering models and for changing their stage and licence."""

from typing import Any

from django import forms

from training.models import ModelVersion
from training.runs.forms import LICENCE_HELP


class BaseModelForm(forms.Form):
    name = forms.CharField(max_length=100)
    path = forms.CharField(
        max_length=1000,
        label="Folder or GGUF file",
        help_text="Absolute path on the workers' machine: a folder with config.json, safetensors and tokenizer files, "
        "or a single .gguf file, which is unpacked to 16 bit.",
    )
    licence = forms.CharField(max_length=100, required=False, help_text=LICENCE_HELP)


class DownloadForm(forms.Form):
    prefix = "hub"
    name = forms.CharField(max_length=100)
    reference = forms.CharField(
        max_length=200,
        label="Model and commit",
        help_text="organisation/name@commit with all 40 digits. A branch name is refused because its files can change.",
    )
    licence = forms.CharField(max_length=100, required=False, help_text=LICENCE_HELP)
    confirmed = forms.BooleanField(label="Download this model to the disk of this server.")


class ExternalModelForm(forms.Form):
    prefix = "external"
    name = forms.CharField(
        max_length=100, help_text="The name in the operator's list of endpoints, if it has one."
    )


class StageForm(forms.Form):
    """The other stages of a model, and the reason for the change."""

    reason = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 2}),
        max_length=2000,
        help_text="Stored with the model and in the audit log.",
    )

    def __init__(self, *args: Any, model: ModelVersion, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["stage"] = forms.ChoiceField(choices=model.other_stages, label="New stage")
        self.order_fields(("stage", "reason"))


class LicenceForm(forms.Form):
    licence = forms.CharField(max_length=100, required=False, help_text=LICENCE_HELP)
