"""Builds the document of one prompt: the input, both responses, fields, latency and tokens."""

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.comparison.document import (
    SIDES,
    Cell,
    Fact,
    FieldResult,
    FieldRow,
    PairDocument,
    PromptText,
    Provenance,
    Row,
    Section,
    Side,
    SideText,
    Stat,
    Table,
    Tone,
)
from evaluation.comparison.sentences import cautions, facts, trap
from ftplatform.text.numbers import DASH, change_from, count, decimal
from ftplatform.text.quantities import quantity, relative_change
from ftplatform.text.turns import shown_turns, tool_names
from ftplatform.text.values import pretty, words

READING_NOTE = (
    "One prompt proves nothing: the comparison over all prompts is stronger evidence, and a blind review is the "
    "strongest. A shorter response does not mean a faster model; the time per token shows the speed. Free text is "
    "scored by similarity, so different wording is not an error."
)
_STREAM = {
    "total_ms": "Time per response",
    "first_token_ms": "Time to the first token",
    "token_ms": "Time per token after the first",
}
_RESULTS: dict[str, tuple[str, Tone]] = {
    "match": ("matches", "good"),
    "mismatch": ("differs", "danger"),
    "missing": ("missing", "danger"),
    "wrong_type": ("wrong type", "danger"),
    "similar": ("likeness", "neutral"),
    "ignored": ("not judged", "neutral"),
}
_FORMATS = {
    "strict": "JSON only",
    "fenced": "JSON in a code fence",
    "trailing_text": "JSON among other text",
    "invalid": "no valid JSON",
    "not_json_expected": "text",
}
_SIDE_TITLES: dict[Side, str] = {"baseline": "Baseline", "candidate": "Candidate"}

Values = Mapping[str, Any]


def build(
    provenance: Provenance,
    *,
    prompt: Values,
    sample: int,
    sides: Mapping[str, Values],
    fields: Sequence[Values],
    stream: Mapping[str, Values],
) -> PairDocument:
    """Build the document.

    `sides` has text, tokens, times in ms, measures and the match of each response. `fields` has the result of both
    sides for each expected field. `stream` has the single-stream times in ms, by name and side.
    """
    times = _times(sides, stream, provenance)
    sentence = _single_trap(times, provenance)
    baseline, candidate = provenance.baseline_model.name, provenance.candidate_model.name
    return PairDocument(
        title=prompt["key"],
        lead=f"One prompt, answered by {baseline} (baseline) and {candidate} (candidate).",
        latency_trap=sentence,
        cautions=cautions(provenance, trap=sentence, whole=False),
        stats=_stats(sides, times),
        prompt=_prompt(prompt),
        responses=(_response("baseline", sides, baseline), _response("candidate", sides, candidate)),
        fields=tuple(map(_field, fields)),
        summary=_summary(sides, stream, provenance),
        reading_note=READING_NOTE,
        facts=facts(provenance),
        provenance=provenance,
        values={
            "prompt": dict(prompt),
            "sample": sample,
            "fields": list(fields),
            **sides,
            "stream": stream,
            "times": times,
            "latency_trap": sentence,
        },
    )


def _prompt(prompt: Values) -> PromptText:
    given = prompt["expected"] is not None
    return PromptText(
        instruction=prompt["instruction"],
        input=prompt["input"],
        input_keys=tuple(prompt["input_keys"]),
        turns=shown_turns(prompt["messages"]),
        tools=tool_names(prompt["tools"]),
        expected=prompt["expected"],
        expected_note="" if given else "No expected output, so only reviewers can judge this prompt.",
        tags=tuple(Fact(words(name), str(value)) for name, value in prompt["tags"].items()),
    )


def _times(
    sides: Mapping[str, Values], stream: Mapping[str, Values], provenance: Provenance
) -> dict[str, Any]:
    """The most reliable times by side, with labels.

    These are single-stream times if measured, else the times stored with the responses.
    """
    nothing = dict.fromkeys(SIDES)
    if "total_ms" in stream:
        return {
            "label": _STREAM["total_ms"],
            "token_label": _STREAM["token_ms"],
            "note": "one request at a time",
            "response": stream["total_ms"],
            "token": stream.get("token_ms", nothing),
        }
    batched = provenance.latency.kind != "imported"
    return {
        "label": "Time inside its batch" if batched else "Time per response",
        "token_label": "Time inside its batch, per output token" if batched else "Time per output token",
        "note": "throughput; not measured alone" if batched else "",
        "response": {side: sides[side]["latency_ms"] for side in SIDES},
        "token": {side: sides[side]["ms_per_token"] for side in SIDES},
    }


def _single_trap(times: Values, provenance: Provenance) -> str:
    """The latency caution. Empty for times inside a batch, which depend on the other responses in it."""
    if provenance.latency.kind == "batched":
        return ""
    response, token = (
        change_from(times[name]["candidate"], times[name]["baseline"]) for name in ("response", "token")
    )
    return trap(response, token)


def _stats(sides: Mapping[str, Values], times: Values) -> tuple[Stat, ...]:
    first, second = sides["baseline"], sides["candidate"]
    stats = []
    if first["match"] and second["match"]:
        stats.append(_judged_stat(first["match"], second["match"]))
    tokens = {side: sides[side]["output_tokens"] for side in SIDES}
    for label, values, unit, note in (
        ("Output tokens", tokens, "count", ""),
        (times["label"], times["response"], "ms", times["note"]),
        (times["token_label"], times["token"], "ms", times["note"]),
    ):
        if any(value is not None for value in values.values()):
            change = _change(values["baseline"], values["candidate"])
            texts = [_shown(values[side], unit) for side in SIDES]
            parts = [part for part in (change if change != DASH else "", note) if part]
            stats.append(Stat(label, " → ".join(texts), ", ".join(parts)))
    return tuple(stats)


def _judged_stat(first: Values, second: Values) -> Stat:
    label = "Judged fields right"
    if second["score"] is None or first["score"] is None:
        return Stat(label, DASH, "a program cannot judge this prompt")
    if second["score"] == first["score"]:
        note = "same on both sides"
    else:
        nearer = "candidate" if second["score"] > first["score"] else "baseline"
        note = f"the {nearer} is closer to the expected output"
    return Stat(
        label, f"{count(first['right'])} → {count(second['right'])} of {count(second['judged'])}", note
    )


def _response(side: Side, sides: Mapping[str, Values], model: str) -> SideText:
    response = sides[side]
    match = response["match"] or {}
    return SideText(
        title=_SIDE_TITLES[side],
        model=model,
        text=response["text"],
        cut=response["finish_reason"] == "length",
        remarks=tuple(_remarks(response, match)),
        unexpected=tuple(match.get("extra_fields", ())),
    )


def _remarks(response: Values, match: Values) -> list[str]:
    remarks = []
    if response["input_tokens"] is not None or response["output_tokens"] is not None:
        tokens = f"{count(response['input_tokens'])} input, {count(response['output_tokens'])} output"
        remarks.append(f"Tokens: {tokens}.")
    if response["finish_reason"] == "filter":
        remarks.append("Cut by the engine's content filter.")
    if response["finish_reason"] == "unknown" and response["finish_word"]:
        remarks.append(f"The endpoint ended it with the reason {response['finish_word']}.")
    sentences = {
        "fenced": "The JSON is inside a code fence.",
        "trailing_text": "Other text surrounds the JSON.",
        "invalid": "The response has no valid JSON.",
    }
    if match.get("json_status") in sentences:
        remarks.append(sentences[match["json_status"]])
    if match.get("schema_valid") is False:
        remarks.append("It does not fit the schema of the prompt set.")
    remarks += [f"{problem[:1].upper()}{problem[1:]}." for problem in match.get("problems", ())]
    passed = (response["measures"] or {}).get("passed")
    if passed is not None:
        remarks.append("Passes the check." if passed else "Fails the check.")
    return remarks


def _field(row: Values) -> FieldRow:
    return FieldRow(
        field=row["field"],
        comparison=row["comparison"],
        rule="free text" if row["comparison"] == "similar" else words(row["comparison"]),
        expected=row["expected"],
        expected_text=pretty(row["expected"]),
        baseline=_result(row.get("baseline")),
        candidate=_result(row.get("candidate")),
    )


def _result(result: Values | None) -> FieldResult | None:
    if result is None:
        return None
    status, got = result["status"], result["got"]
    word, tone = _RESULTS.get(status, (words(status), "neutral"))
    if status == "similar":
        word = f"likeness {decimal(result['similarity'])}"
    return FieldResult(
        status=status,
        got=got,
        similarity=result["similarity"],
        word=word,
        tone=tone,
        text="" if status == "missing" else pretty(got),
    )


def _summary(sides: Mapping[str, Values], stream: Mapping[str, Values], provenance: Provenance) -> Section:
    first, second = (sides[side]["match"] for side in SIDES)
    rows = []
    if first and second:
        rows.append(Row("Judged fields right", (Cell(_right(first)), Cell(_right(second)), Cell(""))))
        forms = [_FORMATS[match["json_status"]] for match in (first, second)]
        rows.append(Row("Format", (Cell(forms[0]), Cell(forms[1]), Cell(""))))
    for name in ("input_tokens", "output_tokens"):
        rows += _measured(
            f"{name[:-7].capitalize()} tokens", {side: sides[side][name] for side in SIDES}, "count"
        )
    for name, label in _STREAM.items():
        if name in stream:
            rows += _measured(label, stream[name], "ms", note="one request at a time")
    batched = provenance.latency.kind != "imported"
    label = "Time inside its batch" if batched else "Time per response"
    note = provenance.latency.note
    rows += _measured(label, {side: sides[side]["latency_ms"] for side in SIDES}, "ms", note=note)
    label = "Time inside its batch, per output token" if batched else "Time per output token"
    rows += _measured(label, {side: sides[side]["ms_per_token"] for side in SIDES}, "ms")
    columns = ("Figure", "Baseline", "Candidate", "Change")
    if not rows:
        return Section("summary", "Summary", text="Neither tokens nor times were recorded.")
    return Section("summary", "Summary", tables=(Table("summary", "Summary", columns, tuple(rows)),))


def _measured(label: str, values: Values, unit: str, note: str = "") -> list[Row]:
    """A row with the change from baseline to candidate; none if neither side has a value."""
    before, after = values["baseline"], values["candidate"]
    if before is None and after is None:
        return []
    cells = (Cell(_shown(before, unit)), Cell(_shown(after, unit)), Cell(_change(before, after)))
    return [Row(label, cells, notes=(note,) if note else ())]


def _change(before: float | None, after: float | None) -> str:
    return relative_change(change_from(after, before))


def _shown(value: float | None, unit: str) -> str:
    return count(value) if unit == "count" else quantity(value, unit)


def _right(match: Values) -> str:
    return f"{count(match['right'])} of {count(match['judged'])}" if match["judged"] else DASH
