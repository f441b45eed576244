"""What can follow an analysed campaign: its next planned stage, or a campaign that confirms it."""

from typing import Any, NamedTuple

from django.db.models import Q, QuerySet
from django.utils.translation import gettext

from evaluation.models import Campaign, Prompt, Reviewer, ReviewItem
from evaluation.review.selectors.counted_ratings import with_digests
from evaluation.stats.staged import OPEN_VERDICTS
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError

# Of the plan, what the stages of one test share.
SHARED = ("alpha", "margin", "criteria", "yes_no", "looks", "watch_se", "exclusion", "cluster", "extensions")


class State(NamedTuple):
    """`open_result`: analysed without a decision, and not followed yet. `extensible`: a planned stage is left."""

    open_result: bool
    extensible: bool


def state(campaign: Campaign) -> State:
    result = _final_result(campaign)
    if result is None or campaign.elsewhere or successor(campaign) is not None:
        return State(False, False)
    stages = result.get("stages") or {}
    return State(result["verdict"] in OPEN_VERDICTS, bool(stages.get("extensible")))


def successor(campaign: Campaign) -> Campaign | None:
    return Campaign.objects.filter(follows=campaign.pk).first()


def before(campaign: Campaign) -> list[Campaign]:
    """The campaigns that this one follows, the latest first."""
    found, last = [], campaign.follows
    while last is not None:
        found.append(last)
        last = last.follows
    return found


def carried(campaign: Campaign, *, extend: bool) -> dict[str, Any]:
    """What the plan of the next campaign keeps of this one: its stages, or that it left the question open."""
    plan = campaign.plan
    confirms = list(plan.get("confirms", ()))
    if not extend:
        return {"earlier": [], "confirms": [*confirms, campaign.title]}
    result = campaign.reports.get(is_final=True).result
    names = ("log_odds", "se", "n_ratings", "n_prompts", "n_reviewers")
    this = {name: result["stages"]["each"][-1][name] for name in names} | {"campaign": campaign.title}
    return {"earlier": [*plan.get("earlier", ()), this], "confirms": confirms}


def used_prompts(campaign: Campaign) -> Q:
    """The pairs whose prompt was reviewed in a campaign that this one follows, also in another prompt set."""
    earlier = prompts_of(before(campaign))
    used = {digest for _, _, digest in with_digests(earlier)}
    mine = Prompt.objects.filter(prompt_set=campaign.comparison.prompt_set_id).exclude(
        pk__in=earlier.values("pk")
    )
    alike = [pk for pk, _, digest in with_digests(mine) if digest in used]
    return Q(prompt__in=earlier.values("pk")) | Q(prompt__in=alike)


def prompts_of(reviewed: list[Campaign]) -> QuerySet[Prompt]:
    """The prompts that count in these campaigns; quality items do not."""
    items = ReviewItem.objects.filter(campaign__in=reviewed, kind=ReviewItem.Kind.REAL)
    return Prompt.objects.filter(pk__in=items.values("pair__prompt"))


def require_newcomer(
    campaign: Campaign,
    *,
    user: User | None = None,
    external_id: str = "",
    email: str = "",
    known: bool = False,
) -> None:
    """Raise DomainError `took_part_before` if a person took part in a campaign that this one follows.

    `known`: their browser shows it.
    """
    if known or _took_part(campaign, user=user, external_id=external_id, invite__email=email):
        raise DomainError(
            "took_part_before",
            gettext(
                "You took part in an earlier review of these models. This one needs other people. Thank you for coming!"
            ),
            status=403,
        )


def require_new_addresses(campaign: Campaign, addresses: list[str]) -> None:
    """Raise DomainError `invalid_addresses` that names each person who took part in an earlier campaign."""
    problems = [
        {"line": line, "message": f"Line {line}: {address} took part in an earlier campaign."}
        for line, address in enumerate(addresses, 1)
        if _took_part(campaign, invite__email=address)
    ]
    if problems:
        raise DomainError(
            "invalid_addresses",
            "This campaign needs other reviewers than the one before it. No invitations were created.",
            status=400,
            problems=problems[:20],
        )


def _took_part(campaign: Campaign, **who: Any) -> bool:
    """Whether a reviewer of a campaign that this one follows has one of these values, empty ones aside."""
    known = Q()
    for name, value in who.items():
        known |= Q(**{name: value}) if value else Q()
    if campaign.follows_id is None or not known:
        return False
    return Reviewer.objects.filter(known, campaign__in=before(campaign)).exists()


def anonymous_reviewers(campaign: Campaign) -> int:
    """How many people joined by a shared link without an account or a participant's number."""
    return campaign.reviewers.filter(
        Q(invite=None) | Q(invite__email=""), user=None, external_id="", is_simulated=False
    ).count()


def _final_result(campaign: Campaign) -> dict[str, Any] | None:
    report = (
        campaign.reports.filter(is_final=True).first()
        if campaign.status == Campaign.Status.ANALYSED
        else None
    )
    return report.result if report else None
