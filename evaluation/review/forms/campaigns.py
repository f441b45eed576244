"""Forms of campaigns: plan, settings, people, amendments."""

from typing import Any, get_args

from django import forms
from django.conf import settings as site

from evaluation import access, rubrics
from evaluation.models import Campaign, RubricVersion
from evaluation.review import platforms
from evaluation.review.services import amendments
from evaluation.stats.reviewers import FlagCode
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from training import access as training_access

FLAG_WORDS = {
    "too_fast": "rated faster than anybody reads",
    "straight_lining": "gave the same points throughout",
    "side_sticking": "kept choosing one side",
    "low_agreement": "agreed with nobody",
    "failed_checks": "failed instruction checks",
    "inconsistent": "answered repeats differently",
}
# Fields of the form in the sections of the page; what is not named here stands under "Limits".
SECTIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("What is reviewed", "", ("title", "run", "candidate", "pairs", "overlap", "is_pilot")),
    ("How it is decided", "", ("margin", "interim_percent", "watched", "exclude_flags")),
    ("What reviewers fill in", "", ("rubric_version", "rubric_text")),
    (
        "What reviewers are told",
        "All of it is plain text, and shown before the first pair.",
        ("instructions", "content_warning", "consent", "language", "shipped_practice", "practice_pass"),
    ),
    (
        "While they review",
        "",
        (
            *("lease_minutes", "edit_minutes", "max_per_reviewer", "max_per_hour", "quality_every"),
            *("allow_skip", "allow_markdown", "ask_tuned"),
        ),
    ),
    (
        "Crowd platform and pay",
        "Leave the platform empty for people whom you invite yourself.",
        (
            *("crowd_preset", "crowd_id", "crowd_captured", "crowd_redirect"),
            *("crowd_completed", "crowd_screened_out", "crowd_failed", "hourly_pay", "currency"),
        ),
    ),
)


class CampaignForm(forms.Form):
    title = forms.CharField(max_length=100, help_text="Reviewers see it: do not name a model.")
    pairs = forms.IntegerField(
        required=False, min_value=1, label="Pairs to review", help_text="Drawn at random; all unless told."
    )
    overlap = forms.IntegerField(
        initial=3,
        min_value=1,
        max_value=100,
        label="Ratings per pair",
        help_text="Exactly so many, never more.",
    )
    is_pilot = forms.BooleanField(
        required=False,
        label="This is a pilot",
        help_text="It calibrates the plan of the next campaign and gets no report.",
    )
    margin = forms.FloatField(
        initial=5,
        min_value=0.5,
        max_value=49,
        label="Smallest difference that matters, in percentage points of the win score",
        help_text="Less than this counts as equivalent. Frozen when the campaign opens.",
    )
    interim_percent = forms.FloatField(
        required=False,
        min_value=5,
        max_value=95,
        label="One interim look, after % of the ratings",
        help_text="Leave empty to look only at the end. An early look costs a little certainty, as the report states.",
    )
    watched = forms.BooleanField(
        required=False,
        label="Results may be watched at any time",
        help_text="Instead of planned looks: every interval is then a moment of a confidence sequence, wider than one "
        "look at the end would give, and true however often you look.",
    )
    exclude_flags = forms.MultipleChoiceField(
        required=False,
        choices=[(code, FLAG_WORDS[code]) for code in get_args(FlagCode)],
        widget=forms.CheckboxSelectMultiple,
        label="Leave out reviewers who",
        help_text="The rule freezes now and looks at how somebody worked, never at who won. The report shows the "
        "result with and without.",
    )
    rubric_text = forms.CharField(
        label="Rubric",
        required=False,
        widget=forms.Textarea(attrs={"rows": 16, "spellcheck": "false"}),
        help_text="Used where no rubric of the library is chosen.",
    )
    instructions = forms.CharField(
        required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 3})
    )
    content_warning = forms.CharField(
        required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 2})
    )
    consent = forms.CharField(
        required=False,
        max_length=10_000,
        label="Conditions",
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Reviewers must agree to them before they join.",
    )
    language = forms.ChoiceField(
        required=False,
        label="Language of the review pages",
        help_text="Buttons and explanations. The questions appear as the rubric writes them: the library has the "
        "shipped rubrics in English and German.",
    )
    shipped_practice = forms.BooleanField(
        required=False,
        label="Begin with three practice pairs from customer support",
        help_text="You can write your own on the campaign's page while it is a draft.",
    )
    practice_pass = forms.IntegerField(
        initial=0,
        min_value=0,
        max_value=20,
        label="Practice answers that must be right",
        help_text="0 lets everybody in.",
    )
    lease_minutes = forms.IntegerField(
        initial=30,
        min_value=1,
        max_value=1440,
        label="Minutes for one pair",
        help_text="Then its slot is free again.",
    )
    edit_minutes = forms.IntegerField(
        required=False,
        initial=10,
        min_value=0,
        max_value=525_600,
        label="Minutes in which a rating may be edited",
        help_text="0 for never; empty until the campaign closes.",
    )
    max_per_reviewer = forms.IntegerField(
        required=False, min_value=1, max_value=1_000_000, label="Most pairs for one reviewer"
    )
    max_per_hour = forms.IntegerField(
        required=False, min_value=1, max_value=10_000, label="Most pairs for one reviewer within an hour"
    )
    quality_every = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=1000,
        label="A quality item after about every … pairs",
        help_text="A broken side, a repeat, identical sides or an instruction. They count nowhere. Empty for none.",
    )
    allow_skip = forms.BooleanField(required=False, initial=True, label="A pair may be skipped with a reason")
    allow_markdown = forms.BooleanField(required=False, label="Responses are shown as formatted Markdown")
    ask_tuned = forms.BooleanField(required=False, initial=True, label="Ask at the end which side was tuned")
    crowd_preset = forms.ChoiceField(required=False, label="Platform")
    crowd_id = forms.CharField(
        required=False,
        max_length=60,
        label="Parameter with the participant's number",
        help_text="Empty: the platform's usual.",
    )
    crowd_captured = forms.CharField(
        required=False, max_length=300, label="Other parameters to keep", help_text="Separated by commas."
    )
    crowd_redirect = forms.CharField(
        required=False,
        max_length=500,
        label="Address at the end",
        help_text="{code} and {id} are filled in. Empty: the platform's usual, else only the code is shown.",
    )
    crowd_completed = forms.CharField(required=False, max_length=60, label="Code for completed")
    crowd_screened_out = forms.CharField(required=False, max_length=60, label="Code for screened out")
    crowd_failed = forms.CharField(required=False, max_length=60, label="Code for failed checks")
    hourly_pay = forms.DecimalField(
        required=False, min_value=0, max_digits=8, decimal_places=2, label="Pay per hour"
    )
    currency = forms.CharField(required=False, max_length=3, help_text="Such as EUR.")

    def __init__(self, *args: Any, user: User, campaign: Campaign | None = None, **kwargs: Any) -> None:
        if campaign is not None:
            kwargs["initial"] = initial_of(campaign)
        super().__init__(*args, **kwargs)
        self.campaign = campaign
        finished = access.comparisons(user=user).filter(status="succeeded")
        self.fields["run"] = forms.ModelChoiceField(
            finished,
            label="Comparison",
            help_text="Where models gave several responses to a prompt, people review the first of each.",
        )
        self.fields["candidate"] = forms.ModelChoiceField(
            training_access.models(user=user).filter(compared_in__isnull=False).distinct(),
            required=False,
            help_text="Only where the comparison has several.",
        )
        self.fields["rubric_version"] = forms.ModelChoiceField(
            RubricVersion.objects.select_related("rubric").order_by("rubric__name", "-number"),
            required=False,
            label="Rubric of the library",
            empty_label="None: the text below",
        )
        self.fields["language"].choices = [("", "As the reviewer's browser asks"), *site.LANGUAGES]  # type: ignore[attr-defined]
        presets = [(name, preset["label"]) for name, preset in platforms.PRESETS.items()]
        self.fields["crowd_preset"].choices = [("", "None"), *presets]  # type: ignore[attr-defined]
        if campaign is None:
            self.fields["rubric_text"].initial = rubrics.builtin("customer_support")

    def sections(self) -> list[tuple[str, str, list[forms.BoundField]]]:
        return [(title, note, [self[name] for name in names]) for title, note, names in SECTIONS]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not values.get("rubric_version") and not values.get("rubric_text", "").strip():
            self.add_error("rubric_text", "Choose a rubric of the library, or write one.")
        return values

    @property
    def values(self) -> dict[str, Any]:
        """What `campaigns.create` and `campaigns.update_draft` take."""
        given = dict(self.cleaned_data)
        version = given["rubric_version"]
        interim = given.pop("interim_percent")
        presets = {name: given.pop(f"crowd_{name}") for name in ("preset", "id", "captured", "redirect")}
        codes = {name: given.pop(f"crowd_{name}") for name in platforms.ENDINGS}
        shipped = given.pop("shipped_practice")
        return given | {
            "margin": given["margin"] / 100,
            "looks": (interim / 100, 1.0) if interim else (1.0,),
            "rubric_text": version.text if version else given["rubric_text"].replace("\r\n", "\n"),
            "crowd": _crowd(presets, codes),
            "practice": self._practice(shipped, given["language"]),
            "currency": given["currency"].upper(),
        }

    def _practice(self, shipped: bool, language: str) -> list[dict[str, Any]]:
        kept: list[dict[str, Any]] = self.campaign.practice if self.campaign else []
        return kept or (rubrics.practice("customer_support", language) if shipped else [])

    def show(self, error: DomainError) -> None:
        """Put a service's complaint at the fields that it names."""
        names = {
            "crowd.id_parameter": "crowd_id",
            "crowd.captured": "crowd_captured",
            "practice": "practice_pass",
        }
        names |= {"crowd.redirect": "crowd_redirect", "crowd.preset": "crowd_preset"}
        names |= {"crowd.codes": "crowd_completed"}
        names |= {f"crowd.codes.{name}": f"crowd_{name}" for name in platforms.ENDINGS}
        if error.code == "no_criteria":
            self.add_error("rubric_text", error.detail)
        elif not error.problems:
            self.add_error(None, error.detail)
        for problem in error.problems:
            field = names.get(problem["field"], problem["field"])
            message = error.detail if error.code == "invalid_rubric" else problem["message"]
            self.add_error(field if field in self.fields else None, message)


def _crowd(presets: dict[str, str], codes: dict[str, str]) -> dict[str, Any]:
    if not presets["preset"]:
        return {}
    captured = [name.strip() for name in presets["captured"].split(",") if name.strip()]
    given = {"id_parameter": presets["id"], "redirect": presets["redirect"]}
    made: dict[str, Any] = {name: value for name, value in given.items() if value}
    if captured:
        made["captured"] = captured
    return made | {"preset": presets["preset"], "codes": {k: v for k, v in codes.items() if v}}


def initial_of(campaign: Campaign) -> dict[str, Any]:
    """The form of a draft as it was filled in."""
    settings = {name: getattr(campaign, name) for name in CampaignForm.base_fields if hasattr(campaign, name)}
    looks, platform = campaign.plan["looks"], campaign.crowd
    return settings | {
        "run": campaign.run_id,
        "candidate": campaign.candidate_id,
        "rubric_version": campaign.rubric_version_id,
        "pairs": campaign.pairs_planned,
        "margin": 100 * campaign.plan["margin"],
        "interim_percent": 100 * looks[0] if len(looks) > 1 else None,
        "watched": bool(campaign.plan.get("watch_se")),
        "crowd_preset": platform.get("preset", ""),
        "crowd_id": platform.get("id_parameter", ""),
        "crowd_captured": ", ".join(platform.get("captured", [])),
        "crowd_redirect": platform.get("redirect", ""),
        **{f"crowd_{name}": platform.get("codes", {}).get(name, "") for name in platforms.ENDINGS},
    }


class CloseForm(forms.Form):
    reason = forms.CharField(
        max_length=500,
        required=False,
        help_text="Needed when it ends before every pair has its ratings; the report repeats it.",
    )


class AmendForm(forms.Form):
    """What may still change; a field left empty stays as it is."""

    lease_minutes = forms.IntegerField(
        required=False, min_value=1, max_value=1440, label="Minutes for one pair"
    )
    max_per_reviewer = forms.IntegerField(
        required=False, min_value=1, max_value=1_000_000, label="Most pairs for one reviewer"
    )
    max_per_hour = forms.IntegerField(
        required=False, min_value=1, max_value=10_000, label="Most pairs for one reviewer within an hour"
    )
    overlap = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=100,
        label="Ratings per pair",
        help_text="Only more, before the first look.",
    )
    pairs_planned = forms.IntegerField(
        required=False, min_value=1, label="Pairs", help_text="Only more, before the first look."
    )
    reason = forms.CharField(max_length=500, help_text="The report lists every amendment with its reason.")

    @property
    def changes(self) -> dict[str, int]:
        given = {name: self.cleaned_data[name] for name in amendments.AMENDABLE}
        return {name: value for name, value in given.items() if value is not None}


class InvitePeopleForm(forms.Form):
    addresses = forms.CharField(
        label="Addresses", widget=forms.Textarea(attrs={"rows": 4}), help_text="One on each line."
    )
    days = forms.IntegerField(required=False, min_value=1, max_value=365, label="Valid for, in days")


class LinkForm(forms.Form):
    max_reviewers = forms.IntegerField(
        initial=1000, min_value=1, max_value=100_000, label="For at most … reviewers"
    )
    days = forms.IntegerField(required=False, min_value=1, max_value=365, label="Valid for, in days")


class ReturnedForm(forms.Form):
    participants = forms.CharField(
        label="Participants",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="One number on each line, as the platform reports them.",
    )


class PracticeForm(forms.Form):
    pair = forms.IntegerField(
        required=False,
        min_value=1,
        label="Pair of this comparison",
        help_text="Filled in from above; empty where the words are your own.",
    )
    instruction = forms.CharField(required=False, max_length=20_000, widget=forms.Textarea(attrs={"rows": 2}))
    left = forms.CharField(required=False, max_length=20_000, widget=forms.Textarea(attrs={"rows": 3}))
    right = forms.CharField(required=False, max_length=20_000, widget=forms.Textarea(attrs={"rows": 3}))
    expected = forms.MultipleChoiceField(
        choices=[("left", "Left"), ("right", "Right"), ("tie", "Tie"), ("both_bad", "Both bad")],
        widget=forms.CheckboxSelectMultiple,
        label="Right answers",
    )
    explanation = forms.CharField(max_length=5000, widget=forms.Textarea(attrs={"rows": 2}))

    @property
    def item(self) -> dict[str, Any]:
        given = self.cleaned_data
        return {
            "prompt": {"instruction": given["instruction"], "input": {}},
            "left": given["left"],
            "right": given["right"],
            "expected": given["expected"],
            "explanation": given["explanation"],
        }
