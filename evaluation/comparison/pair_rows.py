"""Pairs as table rows: which side is right, what changed, and what each response cost."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from evaluation.comparison.document import Cell, Row, Table, Target
from evaluation.scoring.metrics import SideRow
from ftplatform.text.numbers import DASH, count, milliseconds, per, percent


class PairLine(NamedTuple):
    """The stored values of a pair. `sample` is None if every prompt has one response."""

    id: str
    key: str
    sample: int | None
    score_change: float | None
    baseline: SideRow
    candidate: SideRow


def table(pairs: Iterable[PairLine], *, imported: bool) -> Table:
    """The pairs of one page. Imported times are those in the file; all others were measured inside batches."""
    time = "Time per response" if imported else "Time in its batch"
    columns = (
        *("Prompt", "Baseline right", "Candidate right", "Change"),
        *("Output tokens", time, "Per token"),
    )
    return Table("pairs", "Pairs", columns, tuple(map(_row, pairs)))


def _row(pair: PairLine) -> Row:
    sides = (pair.baseline, pair.candidate)
    return Row(
        title=pair.key,
        notes=() if pair.sample is None else (f"response {pair.sample + 1}",),
        target=Target("pair", pair.id),
        cells=(
            *(_match(side.match) for side in sides),
            _change(pair.score_change),
            Cell(_both(*(count(side.output_tokens) for side in sides))),
            Cell(_both(*(milliseconds(side.latency_ms) for side in sides))),
            Cell(_both(*(milliseconds(per(side.latency_ms, side.output_tokens)) for side in sides))),
        ),
    )


def _match(match: dict[str, Any] | None) -> Cell:
    """The number of correct fields out of the fields that were judged."""
    if match is None:
        return Cell(DASH)
    note = "no valid JSON" if match["json_status"] == "invalid" else ""
    if match["score"] is None:
        return Cell(DASH, note=note)
    return Cell("all", note, tone="good") if match["exact"] else Cell(percent(match["score"]), note)


def _change(score_change: float | None) -> Cell:
    if score_change is None:
        return Cell(DASH)
    if score_change == 0:
        return Cell("same")
    return Cell("better", tone="good") if score_change > 0 else Cell("worse", tone="danger")


def _both(baseline: str, candidate: str) -> str:
    return DASH if baseline == candidate == DASH else f"{baseline} → {candidate}"
