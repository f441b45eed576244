"""Latency of single requests. Unlike times inside a batch, it can be compared between two models."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from evaluation.scoring.metrics import NONE, STREAM_METRICS
from evaluation.scoring.summary import figure_of
from evaluation.stats.paired import Paired


class TimingRow(NamedTuple):
    """One measurement. Times are in milliseconds, None if the engine did not report them."""

    prompt: int
    of_candidate: bool
    first_token_ms: float | None
    token_ms: float | None
    total_ms: float | None


def stream_figures(rows: Iterable[TimingRow]) -> list[dict[str, Any]]:
    """Single-stream metrics over prompts measured on both sides: paired means over each prompt's repetitions."""
    found: dict[int, tuple[list[TimingRow], list[TimingRow]]] = {}
    for row in rows:
        found.setdefault(row.prompt, ([], []))[row.of_candidate].append(row)
    figures = []
    for metric in STREAM_METRICS:
        sums = Paired()
        sides = [[_mean(sides[side], metric.name) for sides in found.values()] for side in (0, 1)]
        sums.add(np.array(sides[0], dtype=float), np.array(sides[1], dtype=float))
        figures.append(figure_of(metric, sums))
    return [figure for figure in figures if figure]


def _mean(rows: list[TimingRow], name: str) -> float:
    known = [value for row in rows if (value := getattr(row, name)) is not None]
    return sum(known) / len(known) if known else NONE
