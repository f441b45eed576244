"""Figures of a whole comparison, computed chunk by chunk. Memory depends on metrics, fields and slices only."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from evaluation.scoring.metrics import METRICS, Metric, PairRow, field_value, right, values
from evaluation.stats.arrays import FloatArray
from evaluation.stats.multiplicity import benjamini_hochberg
from evaluation.stats.paired import Paired

SCHEMA_VERSION = 1
MOST_VALUES = 50
SMALLEST_SLICE = 5
_SIDES = ("baseline", "candidate")


def score_change(row: PairRow) -> float | None:
    """Candidate's minus baseline's share of compared fields that match; None if nothing is compared."""
    first, second = ((side.match or {}).get("score") for side in (row.baseline, row.candidate))
    return None if first is None or second is None else float(second - first)


def field_changes(row: PairRow) -> dict[str, int]:
    """Fields that are right on one side only: 1 for the candidate's side, −1 for the baseline's."""
    if row.baseline.match is None or row.candidate.match is None:
        return {}
    before = {field["field"]: right(field) for field in row.baseline.match["fields"]}
    after = {field["field"]: right(field) for field in row.candidate.match["fields"]}
    return {name: after[name] - was for name, was in before.items() if name in after and after[name] != was}


class Summary:
    """Running summary. Add pairs in chunks that keep the samples of a prompt together, then call `result`."""

    def __init__(self) -> None:
        self.pairs = 0
        self._metrics = [Paired() for _ in METRICS]
        self._fields: dict[str, _Field] = {}
        self._slices: dict[str, dict[str, list[Paired]]] = {}
        self._too_many: set[str] = set()

    def add(self, rows: Sequence[PairRow]) -> None:
        if not rows:
            return
        self.pairs += len(rows)
        table = np.array([[values(row.baseline), values(row.candidate)] for row in rows])
        prompts = np.array([row.prompt for row in rows])
        starts = np.flatnonzero(np.r_[True, prompts[1:] != prompts[:-1]])
        means = _prompt_means(table.reshape(len(rows), -1), starts).reshape(len(starts), 2, -1)
        for number, sums in enumerate(self._metrics):
            sums.add(means[:, 0, number], means[:, 1, number])
        self._add_fields(rows, starts)
        self._add_slices([rows[int(start)].tags for start in starts], means)

    def _add_fields(self, rows: Sequence[PairRow], starts: Any) -> None:
        columns: dict[str, FloatArray] = {}
        for number, row in enumerate(rows):
            for side, found in enumerate((row.baseline.match, row.candidate.match)):
                for field in found["fields"] if found else ():
                    name = field["field"]
                    column = columns.get(name)
                    if column is None:
                        column = columns[name] = np.full((len(rows), 2), np.nan)
                    column[number, side] = field_value(field)
                    known = self._fields.get(name) or self._fields.setdefault(name, _Field())
                    known.counts[side][field["status"]] += 1
        for name, column in columns.items():
            means = _prompt_means(column, starts)
            self._fields[name].sums.add(means[:, 0], means[:, 1])

    def _add_slices(self, tags: Sequence[dict[str, str]], means: Any) -> None:
        places: dict[tuple[str, str], list[int]] = {}
        for number, own in enumerate(tags):
            for name, value in own.items():
                if name not in self._too_many:
                    places.setdefault((name, value), []).append(number)
        for (name, value), chosen in places.items():
            known = self._slices.setdefault(name, {})
            if name in self._too_many or (value not in known and len(known) >= MOST_VALUES):
                self._too_many.add(name)
                continue
            sums = known.setdefault(value, [Paired() for _ in _SLICED])
            for each, metric in zip(sums, _SLICED, strict=True):
                each.add(means[chosen, 0, metric], means[chosen, 1, metric])

    def result(self) -> dict[str, Any] | None:
        """The comparison as JSON; None if no pair was added."""
        if not self.pairs:
            return None
        metrics = [figure_of(m, sums) for m, sums in zip(METRICS, self._metrics, strict=True)]
        fields = [field.figure(name) for name, field in self._fields.items()]
        sliced, slices = self._slice_figures()
        return {
            "schema_version": SCHEMA_VERSION,
            "pairs": self.pairs,
            "prompts": max((sums.n for sums in self._metrics), default=0),
            "metrics": [figure for figure in metrics if figure],
            "fields": [field for field in fields if field],
            "sliced_by": sliced,
            "slices": slices,
            "tags_left_out": sorted(self._too_many),
        }

    def _slice_figures(self) -> tuple[str | None, list[dict[str, Any]]]:
        """Slices of the first available metric of score, passed and likeness, the largest decrease first."""
        place = next((p for p, metric in enumerate(_SLICED) if self._metrics[metric].n), None)
        if place is None:
            return None, []
        metric = METRICS[_SLICED[place]]
        found = []
        for name, known in self._slices.items():
            if name in self._too_many or len(known) < 2:
                continue
            for value, sums in known.items():
                figure = figure_of(metric, sums[place])
                if figure and figure["n"] >= SMALLEST_SLICE:
                    found.append({"tag": name, "value": value, **figure})
        _adjust(found)
        return metric.name, sorted(found, key=lambda figure: figure["difference"])


class _Field:
    """Sums and status counts of one expected field on both sides."""

    def __init__(self) -> None:
        self.sums = Paired()
        self.counts: tuple[Counter[str], Counter[str]] = (Counter(), Counter())

    def figure(self, name: str) -> dict[str, Any] | None:
        free = any(counts["similar"] for counts in self.counts)
        found = self.sums.result(binary=not free)
        if found is None:
            return None
        return {
            "name": name,
            "unit": "likeness" if free else "share",
            "better": "none" if free else "up",
            **asdict(found),
            "counts": {side: dict(counts) for side, counts in zip(_SIDES, self.counts, strict=True)},
        }


def figure_of(metric: Metric, sums: Paired) -> dict[str, Any] | None:
    """One metric as JSON; None if no prompt has it on both sides."""
    found = sums.result(binary=metric.binary)
    if found is None:
        return None
    relative = found.difference / found.baseline if found.baseline else None
    return {
        "name": metric.name,
        "label": metric.label,
        "unit": metric.unit,
        "better": metric.better,
        "group": metric.group,
        **asdict(found),
        "relative_change": relative,
    }


def _adjust(slices: list[dict[str, Any]]) -> None:
    """Add p-values adjusted over all slices (Benjamini & Hochberg), because many slices give chance findings."""
    tested = [figure for figure in slices if figure["p_value"] is not None]
    adjusted = benjamini_hochberg(np.array([figure["p_value"] for figure in tested]))
    for figure in slices:
        figure["p_adjusted"] = None
    for figure, p in zip(tested, adjusted, strict=True):
        figure["p_adjusted"] = float(p)


def _prompt_means(table: FloatArray, starts: Any) -> FloatArray:
    """Means over each prompt's rows, (N, K) → (P, K), ignoring NaN."""
    if len(starts) == len(table):
        return table
    known = ~np.isnan(table)
    counts = np.add.reduceat(known, starts, axis=0)
    sums = np.add.reduceat(np.where(known, table, 0.0), starts, axis=0)
    means: FloatArray = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means


_SLICED = [number for number, metric in enumerate(METRICS) if metric.name in ("score", "passed", "likeness")]
_SLICED.sort(key=lambda number: ("score", "passed", "likeness").index(METRICS[number].name))
