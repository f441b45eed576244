"""The form of the rubric editor."""

from django import forms


class RubricForm(forms.Form):
    name = forms.CharField(
        max_length=100, help_text="The name of an existing rubric creates its next version."
    )
    text = forms.CharField(
        label="Rubric",
        max_length=100_000,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 28, "spellcheck": "false", "data-lines": ""}),
        help_text="Markdown with form fields. The preview updates as you type. A question with per: campaign is about "
        "the whole campaign, and reviewers do not see it.",
    )
