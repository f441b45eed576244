"""All metrics of a comparison: their meaning, their unit, and which direction is better."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Unit = Literal["share", "ms", "tokens", "words", "likeness", "points", "kinds"]
Better = Literal["up", "down", "none"]
Group = Literal["accuracy", "format", "cost", "stream", "proxy", "check"]
NONE = float("nan")
_RIGHT = ("match", "similar", "ignored")


@dataclass(frozen=True)
class Metric:
    """A `binary` metric is 0 or 1 for every response. `better` is `none` if neither direction is better."""

    name: str
    label: str
    note: str
    unit: Unit
    better: Better
    group: Group
    binary: bool = False


class SideRow(NamedTuple):
    """Stored data of one response, without its text; None where nothing was recorded."""

    match: dict[str, Any] | None
    measures: dict[str, Any] | None
    output_tokens: int | None
    latency_ms: float | None
    finish_reason: str


class PairRow(NamedTuple):
    """One pair. Rows of the same prompt are its samples."""

    prompt: int
    tags: dict[str, str]
    baseline: SideRow
    candidate: SideRow


METRICS: tuple[Metric, ...] = (
    Metric("score", "Judged fields right", "share of the judged fields; free text is not judged", "share", "up",
           "accuracy"),
    Metric("exact", "All judged fields right", "exact match of everything that is judged", "share", "up",
           "accuracy", binary=True),
    Metric("likeness", "Likeness of free text", "shared words and word pairs, 0 to 1; no measure of quality",
           "likeness", "none", "accuracy"),
    Metric("complete", "Expected fields present", "with a value of the right type", "share", "up", "format"),
    Metric("valid_json", "Valid JSON", "alone or in a code fence", "share", "up", "format", binary=True),
    Metric("strict_json", "Nothing but JSON", "as a program would read it", "share", "up", "format", binary=True),
    Metric("schema_valid", "Fits the schema", "the JSON Schema of the prompt set", "share", "up", "format",
           binary=True),
    Metric("extra", "Unexpected fields", "responses with a field that nobody asked for", "share", "down", "format",
           binary=True),
    Metric("cut", "Cut at the limit", "did not end by itself", "share", "down", "format", binary=True),
    Metric("empty", "Empty", "no text at all", "share", "down", "format", binary=True),
    Metric("output_tokens", "Output tokens", "shorter is cheaper, not better", "tokens", "none", "cost"),
    Metric("latency_ms", "Time per response", "falls with length: see the time per token", "ms", "down", "cost"),
    Metric("ms_per_token", "Time per output token", "the speed of the model itself", "ms", "down", "cost"),
    Metric("passed", "Passed the check", "by words and patterns; a reader decides", "share", "up", "check",
           binary=True),
    Metric("words", "Words", "of the free text, or of the whole response", "words", "none", "proxy"),
    Metric("reading_ease", "Reading ease", "Flesch 1948; 60 to 70 is plain English", "points", "none", "proxy"),
    Metric("politeness", "Politeness strategies", "kinds found, of 8", "kinds", "none", "proxy"),
    Metric("empathy", "Empathy cues", "kinds found, of 3", "kinds", "none", "proxy"),
)  # fmt: skip
STREAM_METRICS: tuple[Metric, ...] = (
    Metric("first_token_ms", "Time to the first token", "one request at a time", "ms", "down", "stream"),
    Metric("token_ms", "Time per token after the first", "one request at a time: the speed of the model", "ms",
           "down", "stream"),
    Metric("total_ms", "Time per response", "one request at a time; falls with length", "ms", "down", "stream"),
)  # fmt: skip
BY_NAME = {metric.name: metric for metric in (*METRICS, *STREAM_METRICS)}


def values(row: SideRow) -> list[float]:
    """Values of one response in the order of METRICS; NaN if a metric does not apply or was not recorded."""
    tokens, latency = row.output_tokens, row.latency_ms
    measures = row.measures or {}
    return [
        *_matched(row.match),
        _truth(None if row.finish_reason in ("", "unknown") else row.finish_reason == "length"),
        _truth(measures.get("empty")),
        _number(tokens),
        _number(latency),
        latency / tokens if latency is not None and tokens else NONE,
        _truth(measures.get("passed")),
        *(_number(measures.get(name)) for name in ("words", "reading_ease", "politeness", "empathy")),
    ]


def _matched(match: dict[str, Any] | None) -> list[float]:
    """score, exact, likeness, complete, valid_json, strict_json, schema_valid, extra."""
    if match is None:
        return [NONE] * 8
    fields = match["fields"]
    free = [field["similarity"] for field in fields if field["status"] == "similar"]
    likeness = sum(free) / len(free) if free else NONE
    structured = match["json_status"] != "not_json_expected"
    present = sum(field["status"] not in ("missing", "wrong_type") for field in fields)
    return [
        _number(match["score"]),
        _truth(match["exact"]),
        likeness,
        present / len(fields) if structured and fields else NONE,
        _truth(match["json_status"] in ("strict", "fenced") if structured else None),
        _truth(match["json_status"] == "strict" if structured else None),
        _truth(match.get("schema_valid")),
        _truth(bool(match["extra_fields"]) if structured else None),
    ]


def field_value(field: dict[str, Any]) -> float:
    """Value of one field: 1 if it matches, else 0; for free text its similarity; NaN for an ignored field."""
    if field["status"] == "similar":
        return float(field["similarity"])
    return NONE if field["status"] == "ignored" else float(field["status"] == "match")


def right(field: dict[str, Any]) -> bool:
    """Whether the field has no error. The wording of free text is never an error."""
    return field["status"] in _RIGHT


def _number(value: float | None) -> float:
    return NONE if value is None else float(value)


def _truth(value: bool | None) -> float:
    return NONE if value is None else float(value)
