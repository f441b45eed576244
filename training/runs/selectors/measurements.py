"""Measurements of token lengths."""

from typing import Any

from training.models import Measurement


def length_summary(measurement: Measurement) -> list[dict[str, Any]]:
    """For each split with rows: the number of rows, and the shortest, median, 95th percentile and longest in tokens."""
    summary = []
    for split, measured in measurement.result.get("splits", {}).items():
        counts = measured["counts"]
        total = sum(count for _, count in counts)
        if total:
            summary.append(
                {
                    "split": split,
                    "rows": total,
                    "tokens": sum(length * count for length, count in counts),
                    "shortest": counts[0][0],
                    "median": _quantile(counts, total, 0.5),
                    "p95": _quantile(counts, total, 0.95),
                    "longest": counts[-1][0],
                    "bad_rows": measured["bad_rows"],
                }
            )
    return summary


def _quantile(counts: list[list[int]], total: int, share: float) -> int:
    """The smallest length that at least `share` of the rows do not exceed."""
    seen = 0
    for length, count in counts:
        seen += count
        if seen >= share * total:
            return length
    return counts[-1][0]
