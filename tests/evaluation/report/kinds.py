"""Every kind of campaign that has a report, or must say clearly that it has none; small, made through the services."""

import io
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from evaluation.models import Campaign, Report
from evaluation.report.services import rating_imports, reports
from evaluation.review.services import campaigns
from evaluation.stats.ratings_file import Reading
from ftplatform.accounts.models import User
from tests import factories

RUBRIC = (
    factories.RUBRIC
    + """
### Outcome

**Resolved**
{type: yes_no, per: side, key: resolved}
"""
)
PAIRS, REVIEWERS = 5, 3
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Made:
    """A closed campaign and its report; None where a campaign of this kind has none."""

    campaign: Campaign
    report: Report | None

    @property
    def result(self) -> dict[str, Any]:
        assert self.report is not None
        found: dict[str, Any] = self.report.result
        return found

    @property
    def has_interval(self) -> bool:
        return self.report is not None and self.result["primary"]["ci_low"] is not None

    @property
    def ratings(self) -> int:
        return self.campaign.ratings.filter(kind="real").count()


def _campaign(owner: User, run: Any, **options: Any) -> Campaign:
    values = {"pairs": PAIRS, "overlap": 2, "rubric_text": RUBRIC, "comparison": run}
    return factories.campaign(owner, **values | options)


def _rated(owner: User, run: Any, **options: Any) -> Campaign:
    made = _campaign(owner, run, **options)
    factories.rate(made, REVIEWERS)
    return made


def trained(owner: User) -> Campaign:
    run = factories.training_run(owner, status="succeeded", finished_at=timezone.now())
    adapter = factories.adapter(owner, base=run.base_model, run=run)
    return _rated(owner, factories.comparison(owner, PAIRS, models=[adapter]), title="A_title | of *marks*")


def merged(owner: User) -> Campaign:
    adapter = factories.adapter(owner)
    model = factories.adapter(owner, base=adapter.base, kind="merged", source=adapter)
    return _rated(owner, factories.comparison(owner, PAIRS, models=[model]))


def imported(owner: User) -> Campaign:
    return _rated(owner, factories.imported_run(owner, PAIRS))


def external(owner: User) -> Campaign:
    first, second = factories.external_model(owner), factories.external_model(owner)
    with override_settings(GENERATION_ENDPOINTS={"vllm": {"base_url": "http://gpu1:8000/v1"}}):
        run = factories.comparison(owner, PAIRS, models=[second], baseline=first, engine="vllm")
    return _rated(owner, run)


def second_candidate(owner: User) -> Campaign:
    run = factories.comparison(owner, PAIRS, candidates=2)
    return _rated(owner, run, candidate=run.candidates[1])


def pilot(owner: User) -> Campaign:
    return _rated(owner, factories.comparison(owner, PAIRS), is_pilot=True)


def everyone_excluded(owner: User) -> Campaign:
    run = factories.comparison(owner, 12)
    made = _campaign(owner, run, pairs=12, exclude_flags=["too_fast"])
    factories.rate(made, 2, active_ms=1)
    return made


def some_excluded(owner: User) -> Campaign:
    """One of three reviewers was too fast, so the headline leaves that one out."""
    made = _campaign(owner, factories.comparison(owner, 12), pairs=12, overlap=3, exclude_flags=["too_fast"])
    factories.rate(made, 2)
    factories.rate(made, 1, seed=9, active_ms=1)
    return made


def nobody_excluded(owner: User) -> Campaign:
    return _rated(owner, factories.comparison(owner, PAIRS), exclude_flags=["too_fast"])


def not_rated(owner: User) -> Campaign:
    return _campaign(owner, factories.comparison(owner, PAIRS))


def closed_early(owner: User) -> Campaign:
    made = _campaign(owner, factories.comparison(owner, PAIRS))
    factories.rate(made, REVIEWERS, most=6)
    return made


def rated_once(owner: User) -> Campaign:
    made = _campaign(owner, factories.comparison(owner, PAIRS))
    factories.rate(made, 1, most=1)
    return made


def all_agree(owner: User) -> Campaign:
    """Every reviewer gives the same answer, so that nothing varies."""
    made = _campaign(owner, factories.comparison(owner, PAIRS))
    factories.rate(made, REVIEWERS, preference="tie")
    return made


def repeated_prompts(owner: User) -> Campaign:
    """Three rows of the prompt set have the same content, so they are one prompt."""
    run = factories.comparison(owner, PAIRS)
    first, *others = run.prompt_set.prompts.order_by("pk")[:3]
    run.prompt_set.prompts.filter(pk__in=[one.pk for one in others]).update(
        instruction=first.instruction, input=first.input
    )
    return _rated(owner, run)


def watched(owner: User) -> Campaign:
    return _rated(owner, factories.comparison(owner, PAIRS), watched=True)


def interim(owner: User) -> Campaign:
    """Analysed at half of its ratings and again at the end."""
    made = _campaign(owner, factories.comparison(owner, PAIRS), looks=(0.5, 1.0))
    factories.rate(made, REVIEWERS, most=6)
    reports.take_look(campaign=made, user=owner)
    factories.rate(made, REVIEWERS, seed=5)
    return made


def rated_elsewhere(owner: User) -> Campaign:
    """Imported ratings without texts, and without the sides that reviewers saw."""
    header = "prompt_id,reviewer_id,preference,tone_baseline,tone_candidate,solved_baseline,solved_candidate"
    answers = ("win", "tie", "loss", "win")
    rows = [
        f"p{p},{who},{answers[(p + r) % 4]},{4 + r},{5 + p % 3},{'yes' if r else 'no'},yes"
        for p in range(PAIRS)
        for r, who in enumerate(("Ann", "Zoé", "Lee"))
    ]
    return rating_imports.create(
        user=owner,
        title=f"Elsewhere {next(_numbers)}",
        source=io.BytesIO("\n".join([header, *rows]).encode()),
        source_name="votes.csv",
        reading=Reading(baseline="Kea 1", candidate="Kea 2"),
    )


KINDS: dict[str, Callable[[User], Campaign]] = {
    made.__name__: made
    for made in (
        *(trained, merged, imported, external, second_candidate, pilot, everyone_excluded, some_excluded),
        *(nobody_excluded, not_rated, closed_early, rated_once, all_agree, repeated_prompts, watched),
        *(interim, rated_elsewhere),
    )
}


def _make(name: str, owner: User) -> Made:
    campaign = KINDS[name](owner)
    campaign.refresh_from_db()
    if not campaign.is_over:
        campaigns.close(campaign=campaign, user=owner, reason="Enough is known.")
        campaign.refresh_from_db()
    report = None if campaign.is_pilot else reports.take_look(campaign=campaign, user=owner)
    campaign.refresh_from_db()
    return Made(campaign, report)


@contextmanager
def all_kinds(owner: Callable[[], User]) -> Iterator[dict[str, Made]]:
    """One campaign of every kind, gone afterwards; the database must be open to the caller."""
    with transaction.atomic():
        user = owner()
        yield {name: _make(name, user) for name in KINDS}
        transaction.set_rollback(True)
