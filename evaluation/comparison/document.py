"""Figures of a comparison as people read them: the same words in the page, the HTML and the Markdown."""

import math
from typing import Any

from evaluation.scoring.metrics import BY_NAME

DASH = "–"
GROUPS = (
    ("accuracy", "Against the expected output", ""),
    ("check", "The check", "by words and patterns: what passes still needs a reader"),
    ("format", "Form", ""),
    ("stream", "Latency, one request at a time", "measured on a subset after warm-up, sides alternating"),
    ("cost", "Length and time", ""),
    (
        "proxy",
        "Proxies from the text",
        "English word lists and formulas; never part of a rating, never a verdict",
    ),
)
# What the times stored with responses are called where a worker made these in batches.
_IN_BATCH = {
    "latency_ms": {"label": "Time inside its batch", "note": ""},
    "ms_per_token": {"label": "The same per output token", "note": ""},
}
_METHODS = {
    "paired_t": "paired t over prompts",
    "mcnemar_exact": "exact McNemar; interval by Newcombe",
    "none": "no test: nothing varies",
}


def shown(value: float | None, unit: str) -> str:
    """One side's value."""
    if value is None or not math.isfinite(value):
        return DASH
    if unit == "share":
        return f"{_number(100 * value, 1)} %"
    if unit == "ms":
        # The same digits as on the page.
        if abs(value) >= 1000:
            return f"{_number(value / 1000, 1 if abs(value) >= 100_000 else 2)} s"
        return f"{_number(value, 1 if abs(value) < 100 else 0)} ms"
    return _number(value, 2 if unit in ("likeness", "kinds") else 1)


def shown_difference(value: float | None, unit: str) -> str:
    """A difference, always with its sign."""
    if value is None or not math.isfinite(value):
        return DASH
    if unit == "share":
        return f"{_number(100 * value, 1, sign=True)} pp"
    if unit == "ms":
        text = _number(value / 1000, 2, sign=True) if abs(value) >= 1000 else _number(value, 1, sign=True)
        return f"{text} s" if abs(value) >= 1000 else f"{text} ms"
    return _number(value, 2 if unit in ("likeness", "kinds") else 1, sign=True)


def shown_p(value: float | None) -> str:
    if value is None:
        return DASH
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def shown_change(value: float | None) -> str:
    """A relative change in percent."""
    return DASH if value is None else f"{_number(100 * value, 1 if abs(value) < 0.1 else 0, sign=True)} %"


def rows(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Groups of rows: {title, note, rows: [{label, note, baseline, …}]}; groups without a figure are left out."""
    made = []
    for group, title, note in GROUPS:
        found = [row(figure) for figure in document["metrics"] if figure["group"] == group]
        if group == "cost":
            note = document["latency"]["note"]
            if document["latency"]["kind"] != "imported":
                found = [each | _IN_BATCH.get(each["name"], {}) for each in found]
        if found:
            made.append({"title": title, "note": note, "rows": found})
    return made


def row(figure: dict[str, Any]) -> dict[str, Any]:
    """One figure in words; `tone` is set only where the interval excludes 0 and a direction is better."""
    unit = figure["unit"]
    known = BY_NAME.get(figure["name"])
    interval = DASH
    if figure["ci_low"] is not None:
        interval = (
            f"{shown_difference(figure['ci_low'], unit)} to {shown_difference(figure['ci_high'], unit)}"
        )
    improved, worse = (
        (figure["down"], figure["up"]) if figure["better"] == "down" else (figure["up"], figure["down"])
    )
    return {
        "name": figure["name"],
        "label": known.label if known else figure["name"],
        "note": known.note if known else ("free text: likeness, 0 to 1" if unit == "likeness" else ""),
        "baseline": shown(figure["baseline"], unit),
        "candidate": shown(figure["candidate"], unit),
        "difference": shown_difference(figure["difference"], unit),
        "relative": shown_change(figure.get("relative_change")) if unit in ("ms", "tokens", "words") else "",
        "interval": interval,
        "p": shown_p(figure["p_value"]),
        "method": _METHODS[figure["method"]],
        "judged": figure["better"] != "none",
        "improved": improved,
        "same": figure["same"],
        "worse": worse,
        "n": figure["n"],
        "tone": tone(figure),
    }


def tone(figure: dict[str, Any]) -> str:
    """good or danger where the interval lies on one side of 0 and that side is better or worse, else empty."""
    low, high = figure["ci_low"], figure["ci_high"]
    if figure["better"] == "none" or low is None or low <= 0 <= high:
        return ""
    return "good" if (low > 0) == (figure["better"] == "up") else "danger"


def slice_rows(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        row(figure)
        | {"tag": figure["tag"], "value": figure["value"], "p_adjusted": shown_p(figure["p_adjusted"])}
        for figure in document["slices"]
    ]


def field_rows(document: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per expected field, with what was missing or of another type on either side."""
    return [row(figure) | {"faults": _faults(figure["counts"])} for figure in document["fields"]]


def _faults(counts: dict[str, dict[str, int]]) -> list[str]:
    said = []
    for status, words in (("missing", "missing"), ("wrong_type", "of another type")):
        first, second = (counts[side].get(status, 0) for side in ("baseline", "candidate"))
        if first or second:
            said.append(f"{words}: {first:,} → {second:,}")
    return said


def headline(document: dict[str, Any]) -> str:
    """The one sentence: what a program can tell of right and wrong."""
    by_name = {figure["name"]: figure for figure in document["metrics"]}
    found = next((by_name[name] for name in ("score", "passed", "likeness") if name in by_name), None)
    if found is None:
        return "No prompt has an expected output, so a program cannot tell right from wrong here; people can."
    told = row(found)
    said = f"{told['label']}: {told['baseline']} → {told['candidate']} ({told['difference']}"
    said += f"; 95 % interval {told['interval']})" if told["interval"] != DASH else ")"
    if not told["judged"]:
        return f"{said}, over {told['n']:,} prompts. Likeness to one wording is no measure of quality."
    return f"{said}; better on {told['improved']:,} of {told['n']:,} prompts, worse on {told['worse']:,}."


def left_out(document: dict[str, Any]) -> str:
    """Which prompts are missing from the comparison and how many responses each model owes; empty where none is."""
    found = document.get("left_out")
    if not found:
        return ""
    named = ", ".join(found["first"][:10]) + (" and more" if found["prompts"] > 10 else "")
    owed = ", ".join(f"{name} {count:,}" for name, count in found["unanswered"].items())
    return (
        f"{found['prompts']:,} of {found['of']:,} prompts are not compared, because not every model answered them: "
        f"{named}. Responses that could not be made: {owed}. What is hard to answer may differ from the rest, so the "
        "figures hold for the answered prompts only."
    )


def latency_trap(document: dict[str, Any]) -> str:
    """The sentence to read before anybody says "faster": time per response against time per token; empty where the
    two point the same way."""
    by_name = {figure["name"]: figure for figure in document["metrics"]}
    alone, stored = ("total_ms", "token_ms"), ("latency_ms", "ms_per_token")
    # A time inside a batch depends on the neighbours, so that it speaks for neither side.
    for whole, each in (alone,) if document.get("latency", {}).get("kind") == "batched" else (alone, stored):
        if whole in by_name and each in by_name:
            return _trap(by_name[whole]["relative_change"], by_name[each]["relative_change"])
    return ""


def times(document: dict[str, Any]) -> dict[str, Any]:
    """The times of one prompt that tell most, by side: one request at a time where that was measured, else what is
    stored with the responses; each with its label."""
    stream, nothing = document["stream"], dict.fromkeys(("baseline", "candidate"))
    if "total_ms" in stream:
        return {
            "label": "Time per response",
            "token_label": "Time per token after the first",
            "note": "one request at a time",
            "response": stream["total_ms"],
            "token": stream.get("token_ms", nothing),
        }
    batched = document["latency"]["kind"] == "batched"
    return {
        "label": "Time inside its batch" if batched else "Time per response",
        "token_label": "The same per output token" if batched else "Time per output token",
        "note": "throughput; not measured alone" if batched else "",
        "response": {side: document[side]["latency_ms"] for side in nothing},
        "token": {side: document[side]["ms_per_token"] for side in nothing},
    }


def single_latency_trap(document: dict[str, Any]) -> str:
    """The same of one prompt; nothing is said of times inside a batch, where neighbours decide."""
    if document["latency"]["kind"] == "batched":
        return ""
    changes = []
    for name in ("response", "token"):
        before, after = (document["times"][name][side] for side in ("baseline", "candidate"))
        changes.append(after / before - 1 if before and after is not None else None)
    return _trap(*changes)


def _trap(response: float | None, token: float | None) -> str:
    if response is None or token is None or response * token >= 0:
        return ""
    factor = 1 + token
    if response < 0:
        return (
            f"A response takes {-100 * response:.0f} % less time because it is shorter. Token for token the candidate "
            f"is {factor:.2f} times as slow: the model has not become faster."
        )
    return (
        f"A response takes {100 * response:.0f} % more time because it is longer. Token for token the candidate is "
        f"{1 / factor:.2f} times as fast."
    )


def _number(value: float, digits: int, *, sign: bool = False) -> str:
    text = f"{value:+,.{digits}f}" if sign else f"{value:,.{digits}f}"
    if not text.strip("+-0.,"):
        text = text.lstrip("+-")
    return text.replace("-", "−")
