"""The form of the sample size page."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django import forms

from evaluation import access
from evaluation.models import Campaign
from evaluation.review import planning
from evaluation.review.selectors import reviewers
from evaluation.review.services.lottery import pairs_of
from evaluation.stats.power import Variation
from ftplatform.accounts.models import User


def pilot_query(pilot: Campaign) -> str:
    """The query of the sample size page for a campaign like this pilot, with its figures. All other inputs keep their
    defaults."""
    usual = {name: field.initial for name, field in PlanForm.base_fields.items() if field.initial is not None}
    return urlencode(usual | {"pilot": pilot.pk, "comparison": pilot.comparison_id, "overlap": pilot.overlap})


class PlanForm(forms.Form):
    effect = forms.FloatField(
        initial=10,
        min_value=1,
        max_value=45,
        label="Difference to detect, in percentage points of the win score",
    )
    pairs = forms.IntegerField(initial=100, min_value=2, max_value=1_000_000)
    overlap = forms.IntegerField(initial=3, min_value=1, max_value=100, label="Ratings per pair")
    reviewers = forms.IntegerField(initial=20, min_value=2, max_value=100_000)
    panel = forms.ChoiceField(
        initial="crowd",
        choices=[("experts", "Experts (high agreement)"), ("crowd", "Crowd (lower agreement)")],
    )
    seconds = forms.FloatField(
        initial=planning.SECONDS, min_value=1, max_value=7200, label="Seconds per rating"
    )
    hourly_pay = forms.FloatField(required=False, min_value=0, max_value=10_000, label="Hourly pay")
    currency = forms.CharField(required=False, max_length=3)

    def __init__(self, data: Any, *, user: User) -> None:
        super().__init__(data)
        self.calibration: reviewers.Calibration | None = None
        finished = access.comparisons(user=user).filter(status="succeeded")
        self.fields["comparison"] = forms.ModelChoiceField(
            finished,
            required=False,
            label="Comparison",
            empty_label="None",
            help_text="Shows the smallest difference its pairs can detect.",
        )
        self.fields["pilot"] = forms.ModelChoiceField(
            reviewers.pilots(user=user),
            required=False,
            empty_label="None",
            help_text="Its variation and time per rating replace the assumptions.",
        )

    @property
    def draft_query(self) -> str:
        """The query of the new-campaign page for a campaign of this size."""
        comparison = self.shown("comparison")
        values = {"overlap": self.shown("overlap"), "pairs": self.shown("pairs")}
        return urlencode(({"comparison": comparison.pk} if comparison else {}) | values)

    def shown(self, name: str) -> Any:
        return self.cleaned_data[name] if self.is_bound else self.fields[name].initial

    @property
    def question(self) -> planning.Question:
        values = {
            name: self.shown(name) for name in ("pairs", "overlap", "reviewers", "seconds", "hourly_pay")
        }
        comparison, pilot = self.shown("comparison"), self.shown("pilot")
        question = planning.Question(
            **values,
            effect=self.shown("effect") / 100,
            variation=planning.PANELS[self.shown("panel")],
            pairs_available=pairs_of(comparison).count() if comparison else None,
        )
        return self._calibrated(question, pilot) if pilot else question

    def _calibrated(self, question: planning.Question, pilot: Campaign) -> planning.Question:
        self.calibration = measured = reviewers.calibration(pilot)
        if measured.sd and measured.prompt_share is not None and measured.reviewer_share is not None:
            variation = Variation(measured.sd, measured.prompt_share, measured.reviewer_share)
            question = replace(question, variation=variation)
        return replace(question, seconds=measured.seconds) if measured.seconds else question
