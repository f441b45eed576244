"""Draft the campaign that follows an analysed one: its next planned stage, or one that confirms it."""

from django.db import transaction

from evaluation.models import Campaign, CampaignAction, Comparison, PromptTag
from evaluation.models.comparison_actions import ComparisonAction
from evaluation.review import campaign_settings
from evaluation.review.selectors import follow_ups
from evaluation.review.services import campaigns, lottery
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError

_TITLE = 100


@transaction.atomic
def draft(*, campaign: Campaign, user: User, action: CampaignAction) -> Campaign:
    """Draft the stage that extends `campaign`, or the campaign that confirms it, with the same settings and other
    prompts. A second call returns the same draft: with two, the better result could be chosen.

    Raises DomainError `wrong_status` unless the result is open and its plan allows `action`, and `no_new_prompts`.
    """
    campaign = (
        Campaign.objects.select_for_update(of=("self",)).select_related("comparison").get(pk=campaign.pk)
    )
    if (existing := follow_ups.successor(campaign)) is not None:
        return existing
    if action not in campaign.actions(**follow_ups.state(campaign)._asdict()):
        raise DomainError(
            "wrong_status",
            "Only an analysed campaign whose result is open can be followed: by its next stage if its plan has "
            "extensions left, and otherwise by a campaign that confirms it.",
        )
    comparison, pairs = _new_prompts(campaign)
    plan, cluster = campaign.plan, campaign.plan.get("cluster", "")
    created = campaigns.create(
        user=user,
        title=_title(campaign, action),
        comparison=comparison,
        candidate=campaign.candidate,
        rubric_text=campaign.rubric_text,
        rubric_version=campaign.rubric_version,
        overlap=campaign.overlap,
        pairs=min(pairs, campaign.pairs_planned),
        margin=plan["margin"],
        looks=tuple(plan["looks"]),
        watched=bool(plan.get("watch_se")),
        cluster=cluster,
        extensions=plan.get("extensions", 0),
        follows=campaign,
        **{name: getattr(campaign, name) for name in campaign_settings.NAMES},
    )
    audit.record(actor=user, action=f"campaign.{action}", target=campaign, by=str(created.pk))
    return created


def _new_prompts(campaign: Campaign) -> tuple[Comparison, int]:
    """A comparison of the same models with prompts that were not reviewed yet, and their number."""
    others = Comparison.objects.filter(baseline=campaign.comparison.baseline_id).exclude(
        pk=campaign.comparison_id
    )
    tag = campaign.plan.get("cluster", "")
    for comparison in (campaign.comparison, *others.order_by("-created_at")):
        if (
            campaign.candidate not in comparison.candidates
            or ComparisonAction.OPEN_CAMPAIGN not in comparison.actions
        ):
            continue
        if tag and not PromptTag.objects.filter(prompt_set=comparison.prompt_set, name=tag).exists():
            continue
        trial = Campaign(comparison=comparison, candidate=campaign.candidate, follows=campaign)
        if left := lottery.available(trial).count():
            return comparison, left
    raise DomainError(
        "no_new_prompts",
        "Every prompt that both models answered was reviewed in this campaign or before it. Compare the models on "
        "another prompt set first: ratings of the same prompts are no new evidence about other prompts.",
    )


def _title(campaign: Campaign, action: CampaignAction) -> str:
    if action == CampaignAction.EXTEND:
        number = len(campaign.plan.get("earlier", ())) + 2
        ending, title = f", stage {number}", campaign.title.removesuffix(f", stage {number - 1}")
    else:
        ending, title = ", confirmation", campaign.title.removesuffix(", confirmation")
    return title[: _TITLE - len(ending)] + ending
