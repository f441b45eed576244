"""Scores responses and stores the figures of a comparison, so that no page reads all texts."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from uuid import UUID

from django.db import transaction

from evaluation.comparison.services import name_swaps
from evaluation.models import Comparison, ComparisonFigures, FieldChange, Pair, Prompt, PromptSet, Response
from evaluation.models.comparison_actions import ComparisonAction
from evaluation.scoring import PairRow, Scored, Scorer, SideRow, Summary, field_changes, score_change
from evaluation.scoring.matching.declared import parse
from ftplatform import queues
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from training.intake.conversations import prompt_parts
from training.models import ModelVersion

_PROMPTS = 1000
_SIDE = ("match", "measures", "output_tokens", "batch_latency_ms", "finish_reason")
_PAIR = (
    *("pk", "prompt_id", "prompt__tags"),
    *(f"{side}__{name}" for side in ("baseline_response", "candidate_response") for name in _SIDE),
)


def scorer_of(prompt_set: PromptSet) -> Scorer:
    return Scorer(prompt_set.field_rules, prompt_set.schema, prompt_set.check_name)


def scored(scorer: Scorer, prompt: Prompt, text: str) -> Scored:
    """(match, measures) of a response to `prompt`, as stored with the response."""
    instruction, given = prompt_parts(prompt.content)
    (scores,) = scorer.score(
        instruction=instruction,
        content=given,
        tags=prompt.tags,
        expected=prompt.expected,
        texts=[text],
    )
    return scores


def summarise(comparison: Comparison) -> None:
    """Recompute the stored figures of all candidates from what is stored with the responses."""
    if comparison.prompt_set.check_name == "name_swap":
        name_swaps.score(comparison)
    for candidate in comparison.candidates:
        _summarise(comparison, candidate)


def _summarise(comparison: Comparison, candidate: ModelVersion) -> None:
    summary = Summary()
    stored = start(comparison, candidate)
    for first, last in _ranges(comparison.prompt_set):
        pairs = Pair.objects.filter(
            comparison=comparison, candidate_model=candidate, prompt_id__gte=first, prompt_id__lte=last
        )
        rows = [
            (pk, PairRow(prompt, tags, SideRow(*values[:5]), SideRow(*values[5:])))
            for pk, prompt, tags, *values in pairs.order_by("prompt_id", "sample").values_list(*_PAIR)
        ]
        summary.add([row for _, row in rows])
        with transaction.atomic():
            _store_changes(stored, rows)
    keep(stored, summary)


def start(comparison: Comparison, candidate: ModelVersion) -> ComparisonFigures:
    """Find or create the row for the figures, and delete its old field changes."""
    stored, _ = ComparisonFigures.objects.get_or_create(
        comparison=comparison, candidate=candidate, defaults={"figures": {}}
    )
    stored.changes.all().delete()
    return stored


def keep(comparison: ComparisonFigures, summary: Summary) -> None:
    comparison.figures = summary.result() or {}
    comparison.save(update_fields=["figures", "made_at"])


def changes_of(row: PairRow) -> dict[str, int]:
    """The fields of a pair that are right on one side only, by their stored names."""
    return {field[:200]: change for field, change in field_changes(row).items()}


def _store_changes(comparison: ComparisonFigures, rows: list[tuple[int, PairRow]]) -> None:
    by_change: dict[float | None, list[int]] = {}
    for pk, row in rows:
        by_change.setdefault(score_change(row), []).append(pk)
    for change, pks in by_change.items():
        Pair.objects.filter(pk__in=pks).update(score_change=change)
    FieldChange.objects.bulk_create(
        (
            FieldChange(figures=comparison, pair_id=pk, field=field, change=change)
            for pk, row in rows
            for field, change in changes_of(row).items()
        ),
        batch_size=2000,
        ignore_conflicts=True,
    )


def _ranges(prompt_set: PromptSet) -> Iterator[tuple[int, int]]:
    """Split the prompt ids into ranges of bounded size: (first, last), both inclusive."""
    ids = list(prompt_set.prompts.order_by("pk").values_list("pk", flat=True)[::_PROMPTS])
    for first, after in pairwise([*ids, None]):
        yield first or 0, after - 1 if after else 2**63 - 1


def declare(
    *, user: User, prompt_set: PromptSet, field_rules: dict[str, Any], schema: dict[str, Any] | None = None
) -> int:
    """Change how the fields of a prompt set are compared, and match all responses to it again; returns their number.

    Ratings are not affected: reviewers never see a match. Raises DomainError `invalid_comparison`.
    """
    try:
        parse(field_rules)
    except ValueError as error:
        raise DomainError("invalid_comparison", f"{error}.", status=400) from error
    prompt_set.field_rules = field_rules
    prompt_set.schema = prompt_set.schema if schema is None else schema
    with transaction.atomic():
        prompt_set.save(update_fields=["field_rules", "schema"])
        audit.record(actor=user, action="prompt_set.declare", target=prompt_set, fields=len(field_rules))
    return match_again(prompt_set)


def ask_for_figures(*, user: User, comparison: Comparison) -> None:
    """Queue the computation of figures for a comparison that was created before figures were stored.

    Does nothing if they are stored. Raises DomainError `no_pairs`.
    """
    if not comparison.pairs.exists():
        raise DomainError("no_pairs", "There are no pairs, so there are no figures to compute.")
    if ComparisonAction.WORK_OUT not in comparison.actions:
        return
    audit.record(actor=user, action="comparison.work_out", target=comparison)
    queues.work_out(str(comparison.pk))


def work_out(*, comparison_id: UUID) -> None:
    """Score and summarise the comparison's responses, unless another worker has done so."""
    comparison = Comparison.objects.select_related("prompt_set").get(pk=comparison_id)
    if not comparison.has_figures:
        match_again(comparison.prompt_set)


def match_again(prompt_set: PromptSet) -> int:
    """Score all responses to the prompt set by its current field rules.

    Uses one transaction per thousand prompts, so that reviewers can rate meanwhile.
    """
    scorer, done = scorer_of(prompt_set), 0
    for first, last in _ranges(prompt_set):
        with transaction.atomic():
            done += _match_range(prompt_set, scorer, first, last)
    for comparison in prompt_set.comparisons.all():
        if comparison.pairs.exists():
            summarise(comparison)
    return done


def _match_range(prompt_set: PromptSet, scorer: Scorer, first: int, last: int) -> int:
    prompts = {
        prompt.pk: prompt for prompt in prompt_set.prompts.filter(pk__gte=first, pk__lte=last).iterator()
    }
    responses = list(
        Response.objects.filter(prompt_id__gte=first, prompt_id__lte=last, comparison__prompt_set=prompt_set)
    )
    for response in responses:
        scores = scored(scorer, prompts[response.prompt_id], response.text)
        response.match, response.measures = scores
    Response.objects.bulk_update(responses, ["match", "measures"], batch_size=100)
    return len(responses)
