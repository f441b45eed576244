"""Figures of one side of a comparison, gathered response by response."""

from collections import Counter
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Any


@dataclass
class Side:
    """Counts and sums over the responses of one role; `figures` turns them into what a page shows."""

    responses: int = 0
    judged: int = 0
    exact: int = 0
    valid_json: int = 0
    cut: int = 0
    empty: int = 0
    tokens: list[int] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    fields: dict[str, Counter[str]] = field(default_factory=dict)
    similarities: dict[str, list[float]] = field(default_factory=dict)

    def add(
        self,
        match: dict[str, Any] | None,
        tokens: int | None,
        latency_ms: float | None,
        finish: str,
        text: str,
    ) -> None:
        self.responses += 1
        if tokens is not None and latency_ms is not None:
            self.tokens.append(tokens)
            self.latencies.append(latency_ms)
        self.cut += finish == "length"
        self.empty += not text.strip()
        if match is None:
            return
        self.judged += 1
        self.exact += bool(match["exact"])
        self.valid_json += match["json_status"] in ("strict", "fenced")
        for found in match["fields"]:
            self.fields.setdefault(found["field"], Counter())[found["status"]] += 1
            if found["similarity"] is not None:
                self.similarities.setdefault(found["field"], []).append(found["similarity"])

    def field_figures(self, name: str) -> dict[str, Any]:
        """Share of responses whose field matches; free text has none, only a mean similarity and what is missing."""
        counts = self.fields.get(name, Counter())
        compared = sum(counts[status] for status in ("match", "mismatch", "missing", "wrong_type"))
        similar = self.similarities.get(name)
        return {
            "matched": counts["match"],
            "compared": compared,
            "share": counts["match"] / compared if compared and not counts["similar"] else None,
            "similarity": fmean(similar) if similar else None,
            "counts": dict(counts),
        }

    def figures(self) -> dict[str, Any]:
        tokens, latency = sum(self.tokens), sum(self.latencies)
        return {
            "responses": self.responses,
            "judged": self.judged,
            "exact_share": self.exact / self.judged if self.judged else None,
            "valid_json_share": self.valid_json / self.judged if self.judged else None,
            "cut": self.cut,
            "empty": self.empty,
            "mean_tokens": tokens / len(self.tokens) if self.tokens else None,
            "median_latency_ms": median(self.latencies) if self.latencies else None,
            "ms_per_token": latency / tokens if tokens else None,
        }
