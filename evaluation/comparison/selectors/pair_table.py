"""Reads the pairs behind a comparison, filtered by change."""

from collections.abc import Iterable

from django.db.models import F, Q, QuerySet

from evaluation.comparison import pair_rows
from evaluation.comparison.document import Table
from evaluation.comparison.selectors import responses
from evaluation.models import Comparison, FieldChange, Pair, PromptTag, Response
from evaluation.scoring import SideRow
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from training.models import ModelVersion

CHANGES = {"worse": Q(score_change__lt=0), "better": Q(score_change__gt=0), "same": Q(score_change=0)}
FILTERS = ("change", "field", "tag", "order")


def pairs(
    *,
    user: User,
    comparison: Comparison,
    candidate: ModelVersion,
    change: str = "",
    field: str = "",
    tag: str = "",
    order: str = "",
) -> QuerySet[Pair]:
    """Pairs filtered by `change`: worse, better or same.

    With `field`, `change` refers to that field. `tag` is name:value. `order` is worst (regressions first) or empty.

    Texts are not loaded. Raises DomainError `unknown_filter`.
    """
    chosen = responses.pairs(user=user, comparison=comparison, candidate=candidate).defer(
        "prompt__instruction",
        "prompt__input",
        "prompt__messages",
        "prompt__tools",
        "prompt__expected",
        "baseline_response__text",
        "candidate_response__text",
    )
    if change and change not in CHANGES:
        raise DomainError("unknown_filter", f"change is one of {', '.join(CHANGES)}.", status=400)
    if field:
        if change == "same":
            raise DomainError("unknown_filter", "Of a field, change is worse or better.", status=400)
        rows = FieldChange.objects.filter(
            figures__comparison=comparison, figures__candidate=candidate, field=field[:200]
        )
        chosen = chosen.filter(pk__in=rows.filter(change=1 if change == "better" else -1).values("pair"))
    elif change:
        chosen = chosen.filter(CHANGES[change])
    if tag:
        name, sign, value = tag.partition(":")
        if not sign:
            raise DomainError("unknown_filter", "A tag is given as name:value.", status=400)
        tagged = PromptTag.objects.filter(prompt_set=comparison.prompt_set_id, name=name[:200], value=value)
        chosen = chosen.filter(prompt__in=tagged.values("prompt"))
    return chosen.order_by(F("score_change").asc(nulls_last=True), "pk") if order == "worst" else chosen


def table(chosen: Iterable[Pair], comparison: Comparison) -> Table:
    """One page of pairs as rendered cells."""
    lines = (
        pair_rows.PairLine(
            id=str(pair.pk),
            key=pair.prompt.key,
            sample=pair.sample if comparison.samples > 1 else None,
            score_change=pair.score_change,
            baseline=_side(pair.baseline_response),
            candidate=_side(pair.candidate_response),
        )
        for pair in chosen
    )
    return pair_rows.table(lines, imported=comparison.is_imported)


def _side(response: Response) -> SideRow:
    return SideRow(
        response.match,
        response.measures,
        response.output_tokens,
        response.batch_latency_ms,
        response.finish_reason,
    )
