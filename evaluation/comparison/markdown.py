"""A comparison, or one of its prompts, as Markdown that can be mailed and archived."""

import json
from typing import Any

from evaluation.comparison import document as present
from ftplatform.text.markdown import escape, fenced, table

_STATUS = {
    "match": "**right**",
    "mismatch": "**differs**",
    "missing": "**missing**",
    "wrong_type": "**of another type**",
    "ignored": "not judged",
}
_SIDES = (("baseline", "Baseline"), ("candidate", "Candidate"))


def overview(document: dict[str, Any]) -> str:
    """The whole comparison: what got worse first, then every figure with its interval."""
    parts = [
        f"# {escape(document['comparison']['name'])}",
        *_head(document),
        "## In one sentence",
        document["headline"],
        *([document["latency_trap"]] if document["latency_trap"] else []),
        *_slices(document),
        *_figures(document),
        *_fields(document),
        *_safety(document),
        *_foot(document),
    ]
    return "\n\n".join(parts) + "\n"


def single(document: dict[str, Any]) -> str:
    """One prompt: asked, expected, answered by both, field by field, with what it took."""
    prompt = document["prompt"]
    keys = ", ".join(f"`{escape(key)}`" for key in prompt["input_keys"]) or "the input is one text"
    expected = "None was given, so only people can judge this prompt."
    if prompt["expected"] is not None:
        expected = fenced(prompt["expected"])
    parts = [
        f"# Single prompt comparison: {escape(prompt['key'])}",
        *_head(document),
        "## Test prompt",
        f"**Instruction:**\n\n{fenced(prompt['instruction'])}",
        f"**Input keys:** {keys}",
        f"**Input:**\n\n{fenced(prompt['input'])}" if prompt["input"] else "**Input:** none",
        f"**Expected output:**\n\n{expected}",
        "## Results",
        *(part for side, title in _SIDES for part in _side(document, side, title)),
        "## Summary",
        _summary(document),
        *([f"**Shorter is not faster.** {document['latency_trap']}"] if document["latency_trap"] else []),
        "## How to read this",
        "One prompt proves nothing by itself: the comparison over all prompts says more, and people's blind "
        "preference says most. A shorter answer is not a faster model; the time per token tells the speed. Free text "
        "is compared for likeness and never called wrong for its wording.",
        *_foot(document),
    ]
    return "\n\n".join(parts) + "\n"


def _head(document: dict[str, Any]) -> list[str]:
    lines = [
        f"**Date:** {document['made_at'][:16].replace('T', ' ')} UTC  ",
        f"**Baseline:** {_model(document['baseline_model'])}  ",
        f"**Candidate:** {_model(document['candidate_model'])}  ",
        f"**Prompts:** {escape(document['prompt_set']['name'])}"
        + (f", {escape(document['prompt_set']['source'])}" if document["prompt_set"]["source"] else ""),
    ]
    said = ["\n".join(lines)]
    if document["comparison"]["imported"]:
        said.append("> **Imported:** the responses were made elsewhere; their figures are as the file says.")
    if document["candidate_model"]["toy"]:
        said.append("> **Toy model:** nothing here says anything about a real one.")
    if missing := present.left_out(document):
        said.append(f"> **Prompts left out:** {escape(missing)}")
    said += [
        f"> **Leakage, overridden:** {found['exact']:,} prompts are rows of {found['dataset']}'s training split and "
        f"{found['near']:,} nearly so. Reason given: {escape(found['reason'])}"
        for found in document["leakage"]
        if found["exact"] or found["near"]
    ]
    return said


def _slices(document: dict[str, Any]) -> list[str]:
    rows = present.slice_rows(document)
    if not rows:
        return []
    cells = [
        (f"{row['tag']} = {row['value']}", row["n"], row["baseline"], row["candidate"], row["difference"],
         row["interval"], row["p_adjusted"])
        for row in rows
    ]  # fmt: skip
    return [
        "## Slices, the worst change first",
        "Exploratory: p-values are adjusted over all slices (Benjamini–Hochberg).",
        table(
            ("Slice", "Prompts", "Baseline", "Candidate", "Difference", "95 % interval", "p adjusted"), cells
        ),
    ]


def _figures(document: dict[str, Any]) -> list[str]:
    parts = [
        "## Figures",
        "Differences are candidate − baseline; the prompt is the unit; p-values are not adjusted.",
    ]
    for group in present.rows(document):
        parts += [f"### {group['title']}", *([f"_{group['note']}._"] if group["note"] else [])]
        parts.append(_figuretable(group["rows"]))
    return parts


def _fields(document: dict[str, Any]) -> list[str]:
    rows = present.field_rows(document)
    if not rows:
        return []
    faults = [f"- `{escape(row['name'])}`: {', '.join(row['faults'])}" for row in rows if row["faults"]]
    return ["## Field by field", _figuretable(rows), *(["\n".join(faults)] if faults else [])]


def _figuretable(rows: list[dict[str, Any]]) -> str:
    header = (
        "Figure",
        "Baseline",
        "Candidate",
        "Difference",
        "95 % interval",
        "p",
        "Better / same / worse",
        "Test",
    )
    cells = [
        (row["label"], row["baseline"], row["candidate"], f"{row['difference']} {row['relative']}".strip(),
         row["interval"], row["p"],
         f"{row['improved']:,} / {row['same']:,} / {row['worse']:,}" if row["judged"]
         else f"{row['improved']:,} up / {row['same']:,} / {row['worse']:,} down", row["method"])
        for row in rows
    ]  # fmt: skip
    return table(header, cells)


def _safety(document: dict[str, Any]) -> list[str]:
    if not document["safety"]:
        return []
    rows = [
        (
            each["check"].replace("_", " "),
            *(present.row(each)[name] for name in ("baseline", "candidate", "difference")),
        )
        for each in document["safety"]
    ]
    return [
        "## Safety and bias checks",
        table(("Check", "Baseline passed", "Candidate passed", "Difference"), rows),
    ]


def _side(document: dict[str, Any], side: str, title: str) -> list[str]:
    found, model = document[side], document[f"{side}_model"]
    match = found["match"]
    lines = [*_time_lines(document, side)]
    lines.append(f"- Tokens: {_count(found['input_tokens'])} input → {_count(found['output_tokens'])} output")
    if match:
        lines += [_field_line(row["field"], row["expected"], row[side]) for row in document["fields"]]
        lines += [f"- Not expected: `{escape(name)}`" for name in match["extra_fields"]]
        lines += [f"- {escape(problem)}" for problem in match["problems"]]
    return [
        f"### {title}: {escape(model['name'])}",
        f"**Response:**\n\n{fenced(found['text'])}" if found["text"].strip() else "**Response:** empty",
        "\n".join(lines),
    ]


def _time_lines(document: dict[str, Any], side: str) -> list[str]:
    """Single-stream times first; what is stored with a response made in a batch is called what it is."""
    found, stream = document[side], document["stream"]
    whole, each = (present.shown(found[name], "ms") for name in ("latency_ms", "ms_per_token"))
    if document["latency"]["kind"] == "imported":
        return [f"- Time per response: **{whole}** ({document['latency']['note']})",
                f"- Time per output token: **{each}**"]  # fmt: skip
    labels = {"total_ms": "Time per response", "first_token_ms": "Time to the first token",
              "token_ms": "Time per token after the first"}  # fmt: skip
    alone = [
        f"- {label}: **{present.shown(stream[name][side], 'ms')}** (one request at a time)"
        for name, label in labels.items()
        if name in stream
    ]
    return [*alone, f"- Inside its batch: {whole}, {each} per output token ({document['latency']['note']})"]


def _field_line(name: str, expected: Any, found: dict[str, Any]) -> str:
    if found["status"] == "similar":
        return f"- **{escape(name)}:** free text, likeness {found['similarity']:.2f} of 1 (left to people to judge)"
    said = f"- **{escape(name)}:** {_STATUS[found['status']]}"
    if found["status"] in ("mismatch", "wrong_type"):
        said += f" (expected {_value(expected)}, got {_value(found['got'])})"
    return said


def _summary(document: dict[str, Any]) -> str:
    first, second = document["baseline"], document["candidate"]
    times = document["times"]
    rows = [
        ("Judged fields right", _right(first["match"]), _right(second["match"]), ""),
        ("Form of the answer", _form(first["match"]), _form(second["match"]), ""),
    ]
    tokens = {"baseline": first["output_tokens"], "candidate": second["output_tokens"]}
    for label, values, unit in (
        (times["label"], times["response"], "ms"),
        (times["token_label"], times["token"], "ms"),
        ("Output tokens", tokens, "tokens"),
    ):
        before, after = values["baseline"], values["candidate"]
        change = after / before - 1 if before and after is not None else None
        rows.append(
            (label, present.shown(before, unit), present.shown(after, unit), present.shown_change(change))
        )
    return table(("Figure", "Baseline", "Candidate", "Change"), rows)


def _foot(document: dict[str, Any]) -> list[str]:
    lines = [f"**Models:** `{escape(document['baseline_model']['path'] or '–')}`, "
             f"`{escape(document['candidate_model']['path'] or '–')}`"]  # fmt: skip
    training = document["training"]
    if training:
        lines.append(
            f"**Training dataset:** {escape(training['dataset'])} ({training['train_rows']:,} rows trained on, "
            f"{training['validation_rows']:,} validated on)"
        )
        if training["minutes"] is not None:
            lines.append(f"**Training duration:** {training['minutes']:g} minutes")
        for curve in training["curves"]:
            loss, accuracy = curve["loss"], curve["token_accuracy"]
            said = f"**{curve['split']}:** loss {loss[0]:.2f} → {loss[1]:.2f}"
            if None not in accuracy:
                said += f", token accuracy {100 * accuracy[0]:.1f} % → {100 * accuracy[1]:.1f} %"
            lines.append(said)
    return ["---", "  \n".join(lines)]


def _right(match: dict[str, Any] | None) -> str:
    return f"{match['right']} of {match['judged']}" if match and match["judged"] else present.DASH


def _form(match: dict[str, Any] | None) -> str:
    words = {
        "strict": "nothing but JSON",
        "fenced": "JSON in a code fence",
        "trailing_text": "JSON among other text",
        "invalid": "no valid JSON",
        "not_json_expected": "text",
    }
    return words[match["json_status"]] if match else present.DASH


def _model(model: dict[str, Any]) -> str:
    kinds = {"base": "untuned", "adapter": "tuned", "merged": "tuned, merged", "external": "external system"}
    return f"{escape(model['name'])} ({kinds[model['kind']]})"


def _count(value: int | None) -> str:
    return present.DASH if value is None else f"{value:,}"


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"`{escape(text if len(text) <= 120 else text[:119] + '…')}`"
