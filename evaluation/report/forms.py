"""Forms for analysing and importing a ratings file."""

from typing import Any

from django import forms

from evaluation.report import analyses
from evaluation.stats.ratings_file import Reading


def _lines_field(label: str, help_text: str, rows: int = 3) -> forms.CharField:
    """A field for texts, one per line."""
    widget = forms.Textarea(attrs={"rows": rows})
    return forms.CharField(required=False, label=label, help_text=help_text, widget=widget)


class RatingsForm(forms.Form):
    """A ratings file and how to read it."""

    file = forms.FileField(
        label="Ratings",
        help_text="CSV, JSON lines, JSON or Parquet with one rating per row, or an export of another tool.",
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.tsv,.txt,.json,.jsonl,.ndjson,.parquet"}),
    )
    baseline = forms.CharField(
        required=False,
        max_length=100,
        label="Baseline",
        help_text="Name of the system to compare with. Required if the file has model_a and model_b.",
    )
    candidate = forms.CharField(
        required=False, max_length=100, label="Candidate", help_text="Name of the system under test."
    )
    columns = _lines_field("Columns with other names", "One per line, our name first: prompt_id=ticket")
    answers = _lines_field(
        "Answers with other words",
        "One per line, our word (win, tie, both_bad, loss, left, right) first: left=Response 1",
    )
    ignore = _lines_field("Columns to ignore", "One per line.", rows=2)
    left_is = forms.ChoiceField(
        required=False,
        label="If answers are left and right, or A and B",
        choices=[
            ("", "A column says on which side the candidate was"),
            ("candidate", "Left (A) is always the candidate"),
            ("baseline", "Left (A) is always the baseline"),
        ],
    )
    lowest_score = forms.FloatField(initial=1, required=False, label="Lowest score")
    highest_score = forms.FloatField(initial=10, required=False, label="Highest score")
    skip_bad_rows = forms.BooleanField(required=False, label="Skip rows with errors")

    def reading(self) -> Reading:
        """How to read the file. Raises DomainError as `analyses.reading_of` does."""
        values: dict[str, Any] = self.cleaned_data
        low, high = values["lowest_score"], values["highest_score"]
        return analyses.reading_of(
            columns=_lines(values["columns"]),
            answers=_lines(values["answers"]),
            ignore=_lines(values["ignore"]),
            left_is=values["left_is"],
            baseline=values["baseline"],
            candidate=values["candidate"],
            score_range=(1.0 if low is None else low, 10.0 if high is None else high),
        )


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


class ImportForm(RatingsForm):
    """A ratings file to store as a campaign. Both systems need names."""

    title = forms.CharField(max_length=100, label="Title")
    field_order = ("title", "file", "baseline", "candidate")
    margin = forms.FloatField(
        initial=5,
        min_value=0.5,
        max_value=49,
        label="Smallest relevant difference, in percentage points of the win score",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("baseline", "candidate"):
            self.fields[name].required = True


class AnalysisForm(RatingsForm):
    margin = forms.FloatField(
        initial=5,
        min_value=0.5,
        max_value=49,
        label="Smallest relevant difference, in percentage points of the win score",
    )
