"""Forms of campaigns: settings, reviewers, amendments."""

from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

from django import forms
from django.conf import settings as site

from evaluation import access, rubrics
from evaluation.models import Campaign, RubricVersion
from evaluation.review import platforms
from evaluation.review.services import amendments
from evaluation.stats.reviewers import FlagCode
from evaluation.stats.stages import more_ratings, stage_level
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from training import access as training_access

FLAG_WORDS = {
    "too_fast": "rated faster than anyone can read",
    "straight_lining": "gave the same score throughout",
    "side_sticking": "kept choosing the same side",
    "low_agreement": "rarely agreed with other reviewers",
    "failed_checks": "failed instruction checks",
    "inconsistent": "rated repeated pairs differently",
}


EXTENSIONS = ("none", "up to one", "up to two")


class Section(NamedTuple):
    """A part of the campaign form. `folded`: closed at first; `stacked`: one field below the other."""

    title: str
    fields: Sequence[Any]  # names; bound fields once a form is rendered
    note: str = ""
    folded: bool = True
    stacked: bool = False


SECTIONS = (
    Section("Pairs", ("title", "comparison", "candidate", "pairs", "overlap", "is_pilot"), folded=False),
    Section(
        "Analysis",
        ("margin", "interim_percent", "watched", "extensions", "cluster", "exclude_flags"),
        folded=False,
    ),
    Section("Rubric", ("rubric_version", "rubric_text"), folded=False, stacked=True),
    Section(
        "Information for reviewers",
        ("instructions", "content_warning", "consent", "language", "shipped_practice", "practice_pass"),
        note="Plain text, shown before the first pair.",
    ),
    Section(
        "Reviewing",
        (
            *("lease_minutes", "edit_minutes", "max_per_reviewer", "max_per_hour", "quality_every"),
            *("allow_skip", "allow_markdown", "ask_tuned"),
        ),
    ),
    Section(
        "Crowd platform and pay",
        (
            *("crowd_preset", "crowd_id", "crowd_captured", "crowd_redirect"),
            *("crowd_completed", "crowd_screened_out", "crowd_failed", "hourly_pay", "currency"),
        ),
        note="Choose no platform if you invite reviewers yourself.",
    ),
)


class CampaignForm(forms.Form):
    title = forms.CharField(max_length=100, help_text="Shown to reviewers. Do not name a model.")
    pairs = forms.IntegerField(
        required=False,
        min_value=1,
        label="Pairs to review",
        help_text="Drawn at random. Leave empty for all pairs.",
    )
    overlap = forms.IntegerField(
        initial=3,
        min_value=1,
        max_value=100,
        label="Ratings per pair",
        help_text="Every pair gets exactly this many.",
    )
    is_pilot = forms.BooleanField(
        required=False,
        label="This is a pilot",
        help_text="A pilot calibrates the plan of the next campaign and gets no report.",
    )
    margin = forms.FloatField(
        initial=5,
        min_value=0.5,
        max_value=49,
        label="Smallest relevant difference, in percentage points of the win score",
        help_text="Smaller differences count as equivalent. Frozen when the campaign opens.",
    )
    interim_percent = forms.FloatField(
        required=False,
        min_value=5,
        max_value=95,
        label="Interim analysis after % of the ratings",
        help_text="Leave empty for a final analysis only. An interim analysis widens the final interval slightly.",
    )
    watched = forms.BooleanField(
        required=False,
        label="Allow analyses at any time",
        help_text="Replaces the planned analyses. Intervals are wider, but stay valid however often you look "
        "(a confidence sequence).",
    )
    extensions = forms.ChoiceField(
        required=False,
        choices=[(number, words) for number, words in enumerate(EXTENSIONS)],
        label="Extensions if the result is open",
        help_text="A later stage with other prompts and reviewers; the verdict combines all stages. It must be planned "
        f"here. With one, every stage is tested at {100 * stage_level(1):.1f}\N{NO-BREAK SPACE}% instead of "
        f"5\N{NO-BREAK SPACE}%, and the first needs about {100 * more_ratings(1) - 100:.0f}\N{NO-BREAK SPACE}% more "
        f"ratings for the same power; with two, {100 * stage_level(2):.1f}\N{NO-BREAK SPACE}% and "
        f"{100 * more_ratings(2) - 100:.0f}\N{NO-BREAK SPACE}%.",
    )
    cluster = forms.CharField(
        required=False,
        max_length=200,
        label="Prompts are sampled together by the tag",
        help_text="For prompts that come in groups, such as several from one customer, topic or document: name the tag "
        "that says which. The interval then allows for other groups. Leave empty if prompts are independent.",
    )
    exclude_flags = forms.MultipleChoiceField(
        required=False,
        choices=[(code, FLAG_WORDS[code]) for code in get_args(FlagCode)],
        widget=forms.CheckboxSelectMultiple,
        label="Exclude reviewers who",
        help_text="Rules use reviewer behaviour only, never which model wrote a response. The report shows results "
        "with and without exclusions.",
    )
    rubric_text = forms.CharField(
        label="Rubric text",
        required=False,
        widget=forms.Textarea(attrs={"rows": 16, "spellcheck": "false", "data-lines": ""}),
        help_text="Used when no rubric from the library is selected.",
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
        help_text="Reviewers must accept them before they join.",
    )
    language = forms.ChoiceField(
        required=False,
        label="Language of the review pages",
        help_text="Applies to buttons and explanations. Questions appear as written in the rubric; the library has "
        "built-in rubrics in English and German.",
    )
    shipped_practice = forms.BooleanField(
        required=False,
        label="Start with three customer support practice pairs",
        help_text="You can add your own on the draft's practice page.",
    )
    practice_pass = forms.IntegerField(
        initial=0,
        min_value=0,
        max_value=20,
        label="Correct practice answers required",
        help_text="0 admits everyone.",
    )
    lease_minutes = forms.IntegerField(
        initial=30,
        min_value=1,
        max_value=1440,
        label="Minutes per pair",
        help_text="After that, another reviewer can get the pair.",
    )
    edit_minutes = forms.IntegerField(
        required=False,
        initial=10,
        min_value=0,
        max_value=525_600,
        label="Minutes to edit a rating",
        help_text="0 for no editing. Leave empty to allow editing until the campaign closes.",
    )
    max_per_reviewer = forms.IntegerField(
        required=False, min_value=1, max_value=1_000_000, label="Maximum pairs per reviewer"
    )
    max_per_hour = forms.IntegerField(
        required=False, min_value=1, max_value=10_000, label="Maximum pairs per reviewer and hour"
    )
    quality_every = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=1000,
        label="Pairs between quality items",
        help_text="A broken response, a repeated pair, identical responses or an instruction check. Not counted in the "
        "results. Leave empty for none.",
    )
    allow_skip = forms.BooleanField(required=False, initial=True, label="Allow skipping a pair with a reason")
    allow_markdown = forms.BooleanField(required=False, label="Show responses as formatted Markdown")
    ask_tuned = forms.BooleanField(required=False, initial=True, label="Ask at the end which side was tuned")
    crowd_preset = forms.ChoiceField(required=False, label="Platform")
    crowd_id = forms.CharField(
        required=False,
        max_length=60,
        label="Participant ID parameter",
        help_text="Leave empty for the platform's default.",
    )
    crowd_captured = forms.CharField(
        required=False, max_length=300, label="Other parameters to store", help_text="Separate with commas."
    )
    crowd_redirect = forms.CharField(
        required=False,
        max_length=500,
        label="Completion URL",
        help_text="{code} and {id} are replaced. Leave empty for the platform's default; if it has none, reviewers see "
        "only the code.",
    )
    crowd_completed = forms.CharField(required=False, max_length=60, label="Completion code")
    crowd_screened_out = forms.CharField(required=False, max_length=60, label="Screen-out code")
    crowd_failed = forms.CharField(required=False, max_length=60, label="Failed-checks code")
    hourly_pay = forms.DecimalField(
        required=False, min_value=0, max_digits=8, decimal_places=2, label="Hourly pay"
    )
    currency = forms.CharField(required=False, max_length=3, help_text="For example EUR.")

    def __init__(self, *args: Any, user: User, campaign: Campaign | None = None, **kwargs: Any) -> None:
        if campaign is not None:
            kwargs["initial"] = initial_of(campaign)
        super().__init__(*args, **kwargs)
        self.campaign = campaign
        finished = access.comparisons(user=user).filter(status="succeeded")
        self.fields["comparison"] = forms.ModelChoiceField(
            finished,
            label="Comparison",
            empty_label="Choose a comparison",
            help_text="If models gave several responses to a prompt, reviewers see the first of each.",
        )
        self.fields["candidate"] = forms.ModelChoiceField(
            training_access.models(user=user).filter(compared_in__isnull=False).distinct(),
            required=False,
            empty_label="The only candidate",
            help_text="Only needed if the comparison has several.",
        )
        self.fields["rubric_version"] = forms.ModelChoiceField(
            RubricVersion.objects.select_related("rubric").order_by("rubric__name", "-number"),
            required=False,
            label="Rubric from the library",
            empty_label="None (use the text below)",
        )
        self.fields["language"].choices = [("", "The reviewer's browser language"), *site.LANGUAGES]  # type: ignore[attr-defined]
        presets = [(name, preset["label"]) for name, preset in platforms.PRESETS.items()]
        self.fields["crowd_preset"].choices = [("", "None"), *presets]  # type: ignore[attr-defined]
        if campaign is None:
            self.fields["rubric_text"].initial = rubrics.builtin("customer_support")

    def sections(self) -> list[Section]:
        return [section._replace(fields=[self[name] for name in section.fields]) for section in SECTIONS]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not values.get("rubric_version") and not values.get("rubric_text", "").strip():
            self.add_error("rubric_text", "Choose a rubric from the library, or write one.")
        return values

    @property
    def values(self) -> dict[str, Any]:
        """The arguments of `campaigns.create` and `campaigns.update_draft`."""
        given = dict(self.cleaned_data)
        version = given["rubric_version"]
        interim = given.pop("interim_percent")
        presets = {name: given.pop(f"crowd_{name}") for name in ("preset", "id", "captured", "redirect")}
        codes = {name: given.pop(f"crowd_{name}") for name in platforms.ENDINGS}
        shipped = given.pop("shipped_practice")
        return given | {
            "margin": given["margin"] / 100,
            "extensions": int(given["extensions"] or 0),
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
        """Show a service's error at the fields it names."""
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
    settings: dict[str, Any] = {name: value for name, value in given.items() if value}
    if captured:
        settings["captured"] = captured
    return settings | {"preset": presets["preset"], "codes": {k: v for k, v in codes.items() if v}}


def initial_of(campaign: Campaign) -> dict[str, Any]:
    """The form values of a draft."""
    settings = {name: getattr(campaign, name) for name in CampaignForm.base_fields if hasattr(campaign, name)}
    looks, platform = campaign.plan["looks"], campaign.crowd
    return settings | {
        "comparison": campaign.comparison_id,
        "candidate": campaign.candidate_id,
        "rubric_version": campaign.rubric_version_id,
        "pairs": campaign.pairs_planned,
        "margin": 100 * campaign.plan["margin"],
        "interim_percent": 100 * looks[0] if len(looks) > 1 else None,
        "watched": bool(campaign.plan.get("watch_se")),
        "cluster": campaign.plan.get("cluster", ""),
        "extensions": campaign.plan.get("extensions", 0),
        "crowd_preset": platform.get("preset", ""),
        "crowd_id": platform.get("id_parameter", ""),
        "crowd_captured": ", ".join(platform.get("captured", [])),
        "crowd_redirect": platform.get("redirect", ""),
        **{f"crowd_{name}": platform.get("codes", {}).get(name, "") for name in platforms.ENDINGS},
    }


class CloseForm(forms.Form):
    reason = forms.CharField(max_length=500, required=False, help_text="Shown in the report.")

    def __init__(self, *args: Any, needs_reason: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = needs_reason


class AmendForm(forms.Form):
    """The settings that can still change. An empty field keeps its value."""

    lease_minutes = forms.IntegerField(required=False, min_value=1, max_value=1440, label="Minutes per pair")
    max_per_reviewer = forms.IntegerField(
        required=False, min_value=1, max_value=1_000_000, label="Maximum pairs per reviewer"
    )
    max_per_hour = forms.IntegerField(
        required=False, min_value=1, max_value=10_000, label="Maximum pairs per reviewer and hour"
    )
    overlap = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=100,
        label="Ratings per pair",
        help_text="Can only grow, and only before the first analysis.",
    )
    pairs_planned = forms.IntegerField(
        required=False,
        min_value=1,
        label="Pairs",
        help_text="Can only grow, and only before the first analysis.",
    )
    reason = forms.CharField(max_length=500, help_text="The report shows it.")

    @property
    def changes(self) -> dict[str, int]:
        given = {name: self.cleaned_data[name] for name in amendments.AMENDABLE}
        return {name: value for name, value in given.items() if value is not None}


class InvitePeopleForm(forms.Form):
    addresses = forms.CharField(
        label="Email addresses", widget=forms.Textarea(attrs={"rows": 4}), help_text="One per line."
    )
    days = forms.IntegerField(required=False, min_value=1, max_value=365, label="Days until it expires")


class LinkForm(forms.Form):
    max_reviewers = forms.IntegerField(
        initial=1000, min_value=1, max_value=100_000, label="Maximum reviewers"
    )
    days = forms.IntegerField(required=False, min_value=1, max_value=365, label="Days until it expires")


class ReturnedForm(forms.Form):
    participants = forms.CharField(
        label="Participants",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="One participant ID per line, as reported by the platform.",
    )


class PracticeForm(forms.Form):
    pair = forms.IntegerField(
        required=False,
        min_value=1,
        label="Pair of this comparison",
        help_text="Filled in from above. Leave empty for your own text.",
    )
    instruction = forms.CharField(required=False, max_length=20_000, widget=forms.Textarea(attrs={"rows": 2}))
    left = forms.CharField(required=False, max_length=20_000, widget=forms.Textarea(attrs={"rows": 3}))
    right = forms.CharField(required=False, max_length=20_000, widget=forms.Textarea(attrs={"rows": 3}))
    expected = forms.MultipleChoiceField(
        choices=[("left", "Left"), ("right", "Right"), ("tie", "Tie"), ("both_bad", "Both bad")],
        widget=forms.CheckboxSelectMultiple,
        label="Correct answers",
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
