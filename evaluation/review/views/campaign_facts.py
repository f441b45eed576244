"""The settings of a campaign as labels and text, for its page."""

from django.conf import settings as site

from evaluation.models import Campaign
from evaluation.review.forms.campaigns import FLAG_WORDS
from evaluation.stats.staged import confirmation_cost, extensions_cost
from ftplatform.text.numbers import count, hundred, percent
from ftplatform.text.values import unbroken

Fact = tuple[str, str]


def facts(campaign: Campaign) -> list[Fact]:
    """The settings that are frozen when the campaign opens, without its practice round and hashes."""
    return [*_analysis(campaign), *_limits(campaign), *_shown(campaign), *_crowd(campaign)]


def _analysis(campaign: Campaign) -> list[Fact]:
    plan, samples = campaign.plan, campaign.comparison.samples
    pairs = f"{count(campaign.pairs_planned)}, drawn at random"
    if samples > 1:
        pairs += (
            f". Only the first of the {samples} responses per prompt is reviewed, so each prompt counts once"
        )
    when = " and ".join(percent(fraction) for fraction in plan["looks"])
    any_time = "at any time, as a confidence sequence; " if plan.get("watch_se") else ""
    flags = ", or ".join(FLAG_WORDS[code] for code in campaign.exclude_flags)
    return [
        ("Pairs", pairs),
        ("Ratings per pair", f"exactly {campaign.overlap}, {count(campaign.ratings_planned)} in total"),
        (
            "Margin",
            f"{hundred(plan['margin'], 1)} points of the win score; less than this counts as equivalent",
        ),
        ("Planned analyses", f"{any_time}after {when} of the ratings"),
        *(
            [("Significance level", f"{percent(plan['alpha'])} over all analyses")]
            if plan.get("alpha")
            else []
        ),
        *_stages(campaign),
        *([("Prompts clustered by", plan["cluster"])] if plan.get("cluster") else []),
        ("Exclusions", f"reviewers who {flags}" if flags else "none"),
    ]


def _stages(campaign: Campaign) -> list[Fact]:
    plan = campaign.plan
    extensions, confirms = plan.get("extensions", 0), plan.get("confirms", ())
    rows: list[Fact] = []
    if extensions:
        number = len(plan.get("earlier", ())) + 1
        after = f", after “{plan['earlier'][-1]['campaign']}”" if number > 1 else ""
        cost = extensions_cost(extensions, plan["alpha"])
        rows.append(("Stages", unbroken(f"{number} of at most {extensions + 1}{after}. {cost}")))
    if confirms:
        cost = confirmation_cost(len(confirms), plan["alpha"])
        rows.append(("Confirms", unbroken(f"“{confirms[-1]}”, whose result is open. {cost}")))
    return rows


def _limits(campaign: Campaign) -> list[Fact]:
    limits = [
        f"{count(most)} pairs {period}"
        for most, period in ((campaign.max_per_reviewer, "in total"), (campaign.max_per_hour, "per hour"))
        if most
    ]
    minutes, every = campaign.edit_minutes, campaign.quality_every
    if minutes is None:
        editing = "allowed until the campaign closes"
    else:
        editing = f"allowed for {minutes} min" if minutes else "off"
    return [
        ("Time per pair", f"{campaign.lease_minutes} min; after that, another reviewer can get the pair"),
        ("Limit per reviewer", ", ".join(limits) or "none"),
        ("Quality items", f"about one per {every} pairs; not counted in the results" if every else "none"),
        ("Editing", editing),
        ("Skipping", "allowed" if campaign.allow_skip else "off"),
    ]


def _shown(campaign: Campaign) -> list[Fact]:
    first = [
        *(["your instructions"] if campaign.instructions else []),
        "rubric instructions",
        *(["a content warning"] if campaign.content_warning else []),
        *(["conditions to accept"] if campaign.consent else []),
    ]
    language = dict(site.LANGUAGES).get(campaign.language, "the language of the reviewer's browser")
    return [
        ("Shown first", ", ".join(first)),
        ("Page language", language),
        ("Final question", "which side was tuned" if campaign.ask_tuned else "none"),
        *([("Responses", "shown as formatted Markdown")] if campaign.allow_markdown else []),
    ]


def _crowd(campaign: Campaign) -> list[Fact]:
    rows: list[Fact] = []
    if campaign.hourly_pay:
        rows.append(("Pay", f"{campaign.hourly_pay} {campaign.currency} per hour"))
    if campaign.crowd:
        preset = str(campaign.crowd["preset"]).capitalize()
        rows.append(("Platform", f"{preset}; participant parameter {campaign.crowd['id_parameter']}"))
    return rows
