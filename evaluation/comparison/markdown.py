"""Comparison documents as Markdown for mail and archives. Nothing is formatted or decided here."""

from collections.abc import Iterable

from evaluation.comparison.document import (
    Caution,
    Cell,
    ComparisonDocument,
    Fact,
    FieldResult,
    FieldRow,
    PairDocument,
    PromptText,
    Row,
    Section,
    SideText,
    Table,
)
from ftplatform.text.markdown import bullets, escape, fenced, table


def overview(document: ComparisonDocument) -> str:
    """The whole comparison: the headline, regressions, then all figures with their intervals."""
    return _joined(
        f"# {escape(document.title)}",
        escape(document.lead),
        f"**{escape(document.headline)}**",
        *map(_caution, document.cautions),
        *(part for section in document.sections for part in _section(section)),
        *_settings(document.facts),
    )


def single(document: PairDocument) -> str:
    """One prompt: input, expected output, both responses, fields, latency and tokens."""
    return _joined(
        f"# Single prompt comparison: {escape(document.title)}",
        escape(document.lead),
        *map(_caution, document.cautions),
        "\n".join(
            f"- **{escape(stat.label)}:** {escape(stat.value)}"
            + (f" ({escape(stat.note)})" if stat.note else "")
            for stat in document.stats
        ),
        *_prompt(document.prompt),
        "## Responses",
        *(part for response in document.responses for part in _response(response)),
        *_fields(document.fields),
        *_section(document.summary),
        "## How to read this",
        escape(document.reading_note),
        *_settings(document.facts),
    )


def cell(shown: Cell) -> str:
    """The cell's text on one line."""
    text = f"{shown.word}: {shown.text}" if shown.word else shown.text
    return f"{text} ({shown.note})" if shown.note else text


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _caution(caution: Caution) -> str:
    return f"> **{escape(caution.title)}:** {escape(caution.text)}"


def _settings(facts: Iterable[Fact]) -> tuple[str, str]:
    return "## Settings and sources", bullets((escape(fact.term), fact.text) for fact in facts)


def _section(section: Section) -> list[str]:
    parts = [f"## {escape(section.title)}", escape(section.note), escape(section.text)]
    for each in section.tables:
        if each.title != section.title:
            parts.append(f"### {escape(each.title)}")
        parts += [escape(each.note), _table(each)]
    return [*parts, escape(section.footnote)]


def _table(shown: Table) -> str:
    rows = [(_title(row), *map(cell, row.cells)) for row in shown.rows]
    return table(shown.columns, rows, numbers_right=True)


def _title(row: Row) -> str:
    return f"{row.title} ({'; '.join(row.notes)})" if row.notes else row.title


def _prompt(prompt: PromptText) -> list[str]:
    return [
        "## Prompt",
        *(_conversation(prompt) if prompt.turns else _question(prompt)),
        f"**Expected output:**\n\n{escape(prompt.expected_note) or fenced(prompt.expected)}",
        bullets((escape(tag.term), tag.text) for tag in prompt.tags),
    ]


def _question(prompt: PromptText) -> list[str]:
    keys = ", ".join(f"`{escape(key)}`" for key in prompt.input_keys) or "the input is one text"
    return [
        f"**Instruction:**\n\n{fenced(prompt.instruction)}",
        f"**Input keys:** {keys}",
        f"**Input:**\n\n{fenced(prompt.input)}" if prompt.input else "**Input:** none",
    ]


def _conversation(prompt: PromptText) -> list[str]:
    tools = ", ".join(map(escape, prompt.tools))
    parts = [f"**Tools:** {tools}"] if tools else []
    for number, turn in enumerate(prompt.turns, start=1):
        speaker = f"{turn.role} {turn.name}" if turn.name else turn.role
        text = fenced(turn.text) if turn.text or not turn.calls else ""
        calls = (f"Call of {escape(call.name)}:\n\n{fenced(call.arguments)}" for call in turn.calls)
        parts += [f"**Turn {number}, {escape(speaker)}:**", text, *calls]
    return parts


def _response(response: SideText) -> list[str]:
    remarks = [*response.remarks, *(["Cut at the limit."] if response.cut else [])]
    lines = [f"- {escape(remark)}" for remark in remarks]
    lines += [f"- Not expected: `{escape(name)}`" for name in response.unexpected]
    return [
        f"### {response.title}: {escape(response.model)}",
        fenced(response.text) if response.text.strip() else "The response is empty.",
        "\n".join(lines),
    ]


def _fields(rows: tuple[FieldRow, ...]) -> list[str]:
    if not rows:
        return []
    cells = [
        (f"{row.field} ({row.rule})", row.expected_text, _result(row.baseline), _result(row.candidate))
        for row in rows
    ]
    return ["## Field by field", table(("Field", "Expected", "Baseline", "Candidate"), cells)]


def _result(result: FieldResult | None) -> str:
    if result is None:
        return "–"
    return f"{result.word}: {result.text}" if result.text else result.word
