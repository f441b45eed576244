"""Recognise what the rows of a file are, from its column names and first cells, and suggest a mapping."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ftplatform.errors import DomainError
from training.intake.column_mapping import ColumnMapping
from training.intake.conversations import turns_in
from training.intake.readers.lines import Cells, shown

EXAMPLE_FIELDS = ("id", "instruction", "input", "output", "split", "group", "messages", "tools")
# Common names of these columns, the most likely first.
_HINTS = {
    "output_column": ("output", "expected_output", "expected", "response", "completion", "answer", "target"),
    "label": ("label", "labels", "category", "intent", "class", "decision", "sentiment", "target_label"),
    "input_column": (
        "input",
        "text",
        "query",
        "question",
        "prompt",
        "utterance",
        "sentence",
        "message",
        "context",
    ),
    "instruction_column": ("instruction", "instructions", "task"),
    "system_column": ("system", "system_prompt"),
    "history_column": ("history",),
    "id_column": ("id", "row_id", "example_id", "uuid", "key"),
    "group_column": ("group", "group_id", "customer_id", "user_id", "conversation_id", "session_id"),
    "split_column": ("split", "fold", "subset"),
}
# Other names of the column `messages`.
TURN_COLUMNS = ("conversations", "conversation", "dialogue", "dialog", "turns")
_TURNS = ("messages", *TURN_COLUMNS, "prompt", "chosen")
# Names of a question and its answer that leave no doubt.
_PAIRS = (("prompt", "completion"), ("prompt", "response"), ("question", "answer"), ("query", "response"))
# Columns of Alpaca files; `text` repeats the whole row.
_ALPACA = {"instruction", "input", "output", "system", "history", "text", "id"}


@dataclass(frozen=True)
class Layout:
    """What the rows are, in words, and why. `mapping` is None when the rows need none; `is_certain` when the file can
    be imported without asking."""

    name: str
    title: str
    why: str
    mapping: ColumnMapping | None
    is_certain: bool = True


def recognise(columns: Sequence[str], rows: Sequence[Cells]) -> Layout:
    """The layout of rows with these columns, of which the first are given."""
    known = {_plain(column): column for column in reversed(columns)}
    if found := _preferences(known, rows):
        return found
    turns = next((known[name] for name in _TURNS if name in known and _holds_turns(known[name], rows)), "")
    if is_canonical(columns):
        why = "the columns have the names of a dataset's fields"
        title = "Chat messages" if turns else "Rows of instruction, input and output"
        return Layout("chat" if turns else "rows", title, why, None)
    if turns:
        return _chat(turns, columns, known, rows)
    mapping = propose(columns, rows)
    names = set(known)
    if {"instruction", "output"} <= names <= _ALPACA and names - set(EXAMPLE_FIELDS) <= common(rows):
        why = "the columns are those of Alpaca files"
        return Layout("alpaca", "Alpaca", why, mapping)
    unused = set(columns) - mapping.columns
    for question, answer in _PAIRS:
        if {question, answer} <= names and not unused:
            why = f"the columns are named {question} and {answer}"
            return Layout("pairs", f"{question.capitalize()} and {answer}", why, mapping)
    why = "the meanings are guessed from the column names"
    return Layout("table", "Table", why, mapping, is_certain=False)


def _preferences(known: dict[str, str], rows: Sequence[Cells]) -> Layout | None:
    chosen = {"chosen", "rejected"} <= known.keys()
    labels = [str(row[known["label"]]).lower() for row in rows if known.get("label") in row]
    kto = (
        {"prompt", "completion", "label"} <= known.keys()
        and bool(labels)
        and set(labels) <= {"true", "false"}
    )
    if not chosen and not kto:
        return None
    answer = known["chosen" if chosen else "completion"]
    prompt = known.get("prompt") or known.get("question") or known.get("instruction") or ""
    if _holds_turns(prompt, rows):
        mapping = ColumnMapping(messages_column=prompt, output_column=answer)
    elif _holds_turns(answer, rows):
        mapping = ColumnMapping(messages_column=answer)
    else:
        mapping = ColumnMapping(input_column=prompt, output_column=answer)
    why = "the columns are chosen and rejected" if chosen else "the label says whether a completion is good"
    return Layout("preferences", "Preferences", why, mapping, is_certain=False)


def refuse_preferences(layout: Layout) -> None:
    """Raise DomainError `preference_data` for rows that compare answers."""
    if layout.name != "preferences" or layout.mapping is None:
        return
    mapping = layout.mapping
    answer = mapping.output_column or mapping.messages_column
    parts = {"input": mapping.input_column, "conversation": mapping.messages_column}
    prompt = next((f"`{column}` as the {part}" for part, column in parts.items() if column), "the prompt")
    answers = f" and `{mapping.output_column}` as the expected output" if mapping.output_column else ""
    good = "" if answer == "chosen" else " Keep only the rows with a good completion."
    said = (
        f"The file holds preferences: {layout.why}. Training on preferences is not available. To train on the "
        f"preferred answers, map {prompt}{answers}.{good}"
    )
    raise DomainError("preference_data", said, status=422)


def _chat(turns: str, columns: Sequence[str], known: dict[str, str], rows: Sequence[Cells]) -> Layout:
    """Turns in one column, perhaps beside the answer, tools, and columns that are ignored."""
    hinted = _hinted(known)
    answer = next((known[name] for name in ("output", "completion") if name in known), "")
    roles = [_roles(row.get(turns)) for row in rows]
    # Turns that end with a question have their answer in another column, or an answer before it.
    answer = answer if all(said[-1:] == ["asks"] for said in roles) else ""
    mapping = ColumnMapping(
        messages_column=turns,
        output_column=answer,
        tools_column=known.get("tools", ""),
        system_column=hinted["system_column"],
        id_column=hinted["id_column"],
        group_column=hinted["group_column"],
        split_column=hinted["split_column"],
    )
    spelling = "from and value" if _is_sharegpt(turns, rows) else "role and content"
    title = "ShareGPT conversations" if spelling.startswith("from") else "OpenAI chat messages"
    why = f"the column {shown([turns])} holds turns with {spelling}"
    return Layout(
        "chat", title, why, mapping, is_certain=bool(answer) or any("answers" in said for said in roles)
    )


def _holds_turns(column: str, rows: Sequence[Cells]) -> bool:
    return bool(column) and any(turns_in(row.get(column)) for row in rows)


def _is_sharegpt(column: str, rows: Sequence[Cells]) -> bool:
    return any("from" in turns[0] for row in rows if (turns := turns_in(row.get(column))))


def _roles(value: Any) -> list[str]:
    """For each turn in a cell, whether it asks or answers."""
    roles = [turn.get("role", turn.get("from")) for turn in turns_in(value) or () if isinstance(turn, dict)]
    return ["asks" if role in ("system", "user", "human", "tool") else "answers" for role in roles]


def common(rows: Sequence[Cells]) -> set[str]:
    """The columns that all given rows have."""
    return set.intersection(*map(set, rows)) if rows else set()


def is_example(columns: Collection[str]) -> bool:
    """Whether rows with these columns have the fields of an Example, perhaps with others."""
    return {"instruction", "output"} <= set(columns) or "messages" in columns


def is_canonical(columns: Sequence[str]) -> bool:
    """Whether rows with these columns are already Examples and need no mapping."""
    return is_example(columns) and set(columns) <= set(EXAMPLE_FIELDS)


def _plain(column: str) -> str:
    return re.sub(r"\W+", "_", column.strip().lower())


def _hinted(known: dict[str, str]) -> dict[str, Any]:
    return {
        part: next((known[name] for name in names if name in known), "") for part, names in _HINTS.items()
    }


def propose(columns: Sequence[str], rows: Sequence[Cells]) -> ColumnMapping:
    """Suggest a mapping from column names and first cells. Text stays text. It may lack parts that only the user
    knows, such as a constant instruction."""
    found = _hinted({_plain(column): column for column in reversed(columns)})
    label = found.pop("label")
    found["output_column"] = found["output_column"] or label
    if not found["input_column"] and found["output_column"]:
        found["input_column"] = _only_other(columns, set(found.values()))
    whole = [column for column in (found["input_column"], found["output_column"]) if column]
    as_json = bool(whole) and all(_holds_json(column, rows) for column in whole)
    return replace(ColumnMapping(json_cells=as_json), **found)


def _only_other(columns: Sequence[str], used: set[str]) -> str:
    """The only unrecognised column when all others are mapped; it is used as the input."""
    others = [column for column in columns if column not in used]
    return others[0] if len(others) == 1 and len(columns) > 1 else ""


def _holds_json(column: str, rows: Sequence[Cells]) -> bool:
    cells = [row[column] for row in rows if column in row]
    return bool(cells) and all(isinstance(cell, str) and cell.lstrip().startswith("{") for cell in cells)
