"""Form for analysing a ratings file."""

from django import forms


class AnalysisForm(forms.Form):
    file = forms.FileField(
        label="Ratings",
        help_text="CSV or JSON lines with prompt_id, reviewer_id, preference (win, tie, loss, both_bad), "
        "candidate_side (left, right) and, for each criterion, NAME_baseline and NAME_candidate.",
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.jsonl,.ndjson"}),
    )
    margin = forms.FloatField(
        initial=5,
        min_value=0.5,
        max_value=49,
        label="Smallest relevant difference, in percentage points of the win score",
    )
    skip_bad_rows = forms.BooleanField(required=False, label="Skip rows with errors")
