"""The fields of one row of prompts or pairs, out of its cells. Errors name the field."""

import json
import math
from typing import Any

from evaluation.models import Response
from training.config import MOST_TURNS
from training.intake import conversations
from training.intake.readers import json_text
from training.intake.readers.clean import require_clean
from training.intake.readers.lines import Cells, RowError, shown

Row = dict[str, Any]

MOST_TAGS = 20
MOST_TAG_NAME = 60
_CONTENT: dict[str, Any] = {"instruction": "", "input": "", "messages": [], "tools": []}
PROMPT = frozenset(
    ("id", "prompt", "input", "expected", "tags", "split", "group", "messages", "tools", "system", "history")
)
SIDES = ("baseline", "candidate")
_FIGURES = ("input_tokens", "output_tokens", "latency_ms", "finish_reason")
PAIR = PROMPT | {*SIDES, *(f"{side}_{figure}" for side in SIDES for figure in _FIGURES)}
_MOST_TOKENS = 2**31 - 1
_MOST_MS = 1e9
# What model servers call these reasons; others are stored as unknown.
_FINISHES = {
    **dict.fromkeys(("eos", "eos_token", "end", "end_turn", "stop_sequence", "complete"), "stop"),
    **dict.fromkeys(("max_tokens", "max_length"), "length"),
    **dict.fromkeys(("content_filter", "safety", "refusal"), "filter"),
}


def content_fields(row: Row) -> dict[str, Any]:
    """The columns of a prompt that hold its content, as they are stored for this row."""
    return {name: row.get(name, empty) for name, empty in _CONTENT.items()}


def prompt_of(cells: Cells, line: int) -> Row:
    """Parse a prompt's row; raises RowError."""
    _require_known(cells, PROMPT)
    conversation = _conversation(cells)
    return _prompt(cells, line, conversation)


def pair_of(cells: Cells, line: int) -> Row:
    """Parse a pair's row: a prompt with `baseline` and `candidate`, each {text, input_tokens, …}; raises RowError."""
    _require_known(cells, PAIR)
    cells = _with_shared_turns(cells)
    conversation = _conversation(cells)
    row = _prompt(cells, line, conversation)
    asked = conversation.messages if conversation else []
    return row | {side: _response(cells, side, asked) for side in SIDES}


def _require_known(cells: Cells, known: frozenset[str]) -> None:
    if unknown := sorted(set(cells) - known):
        raise RowError(
            f"Unknown field {shown(unknown)}; a row has {', '.join(sorted(known))}.", shown(unknown[:1])
        )
    require_clean(cells)


def _prompt(cells: Cells, line: int, conversation: conversations.Conversation | None) -> Row:
    expected = _content(cells, "expected")
    if conversation is None:
        content = {"instruction": _prompt_text(cells), "input": _content(cells, "input") or ""}
    else:
        if conversation.output is not None and not _is_empty(expected):
            said = (
                "The conversation ends with the expected answer; leave `expected` empty, or remove that turn."
            )
            raise RowError(said, "expected")
        content = conversations.prompt_content(conversation)
        expected = expected if conversation.output is None else conversations.spoken(conversation.output)
    return {
        "id": _identity(cells, line),
        **content,
        "expected": None if _is_empty(expected) else expected,
        "tags": _tags(cells.get("tags")),
    }


def _conversation(cells: Cells) -> conversations.Conversation | None:
    """The turns of the row: those of one column, or made of the prompt and its `system`, `history` and `tools`. None
    if the prompt has none of them."""
    tools = cells.get("tools")
    column = "prompt" if _is_empty(cells.get("messages")) else "messages"
    if column == "messages" or conversations.turns_in(cells.get("prompt")):
        for other in ("prompt", "input", "history"):
            if other != column and not _is_empty(cells.get(other)):
                raise RowError(f"`{column}` contains the whole conversation; leave `{other}` empty.", other)
        found = conversations.of_prompt(cells[column], column, tools=tools, system=cells.get("system"))
    elif {"system", "history"} & cells.keys() or not _is_empty(tools):
        column = "history"
        history = cells.get("history")
        found = conversations.of_parts(cells.get("system"), history, _question(cells), None, tools=tools)
    else:
        return None
    if len(found.messages) > MOST_TURNS:
        said = f"The prompt has {len(found.messages):,} turns; at most {MOST_TURNS:,} are allowed."
        raise RowError(said, column)
    return found


def _question(cells: Cells) -> str:
    """Prompt and input as one turn, as datasets join them."""
    given = _content(cells, "input") or ""
    whole = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    return "\n\n".join(text for text in (_prompt_text(cells), whole) if text.strip())


def _prompt_text(cells: Cells) -> str:
    prompt = cells.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise RowError("`prompt` must be a text that is not empty.", "prompt")
    return prompt


def _with_shared_turns(cells: Cells) -> Cells:
    """The row with a prompt, if it has none but both responses are conversations with the same beginning."""
    if not (_is_empty(cells.get("prompt")) and _is_empty(cells.get("messages"))):
        return cells
    first, second = ((conversations.turns_in(cells.get(side)) or [])[:-1] for side in SIDES)
    return cells | {"messages": first} if first and first == second else cells


def _response(cells: Cells, side: str, asked: list[conversations.Turn]) -> Row:
    return {
        "text": _response_text(cells.get(side), side, asked),
        "input_tokens": _whole(cells, f"{side}_input_tokens"),
        "output_tokens": _whole(cells, f"{side}_output_tokens"),
        "latency_ms": _number(cells, f"{side}_latency_ms"),
        "finish_reason": _finish(cells, f"{side}_finish_reason"),
    }


def _response_text(value: Any, side: str, asked: list[conversations.Turn]) -> str:
    """A response's text, also of one that is a turn or a list of turns; tool calls are its JSON text."""
    turns = conversations.turns_in([value] if isinstance(value, dict) else value)
    if turns is not None:
        answer = conversations.spoken(conversations.of_answer(turns, side, asked))
        text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
        require_clean({side: text})
        return text
    if not isinstance(value, str):
        said = f"`{side}` must be the text of its response or its turn; an empty text is allowed."
        raise RowError(said, side)
    return value


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | dict) and not value)


def _content(cells: Cells, name: str) -> Any:
    """Text or an object. Text that contains a JSON object is parsed."""
    value = cells.get(name)
    if value is None or isinstance(value, dict):
        return value
    if not isinstance(value, str):
        raise RowError(f"`{name}` must be a text or a JSON object.", name)
    if not value.lstrip().startswith("{"):
        return value
    try:
        parsed = json_text.parse(value, name)
    except RowError:
        return value
    require_clean(parsed)
    return parsed if isinstance(parsed, dict) else value


def _identity(cells: Cells, line: int) -> str:
    value = cells.get("id")
    if value in (None, ""):
        return f"row-{line}"
    if not isinstance(value, str | int) or isinstance(value, bool) or len(str(value)) > 200:
        raise RowError("`id` must be a text or whole number of at most 200 characters.", "id")
    return str(value)


def _tags(value: Any) -> dict[str, str]:
    if value in (None, ""):
        return {}
    if isinstance(value, str):
        value = json_text.parse(value, "tags")
    if not isinstance(value, dict) or len(value) > MOST_TAGS:
        raise RowError(f"`tags` must be an object of at most {MOST_TAGS} names with short texts.", "tags")
    for name, text in value.items():
        if isinstance(text, bool) or not isinstance(text, str | int | float) or not 0 < len(str(text)) <= 60:
            raise RowError(
                f"The tag {shown([name])} must be a text of 1 to 60 characters.", f"tags.{name}"[:200]
            )
        if not 0 < len(name) <= MOST_TAG_NAME:
            raise RowError(f"A tag's name must have 1 to {MOST_TAG_NAME} characters.", "tags")
    return {name: str(text) for name, text in value.items()}


def _number(cells: Cells, name: str) -> float | None:
    value = cells.get(name)
    if value in (None, ""):
        return None
    try:
        number = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= _MOST_MS:
        raise RowError(f"`{name}` must be a number of at least 0, or left out.", name)
    return number


def _whole(cells: Cells, name: str) -> int | None:
    number = _number(cells, name)
    if number is None:
        return None
    if number != int(number) or number > _MOST_TOKENS:
        raise RowError(f"`{name}` must be a whole number, or left out.", name)
    return int(number)


def _finish(cells: Cells, name: str) -> str:
    value = cells.get(name)
    if value in (None, ""):
        return Response.FinishReason.UNKNOWN.value
    if not isinstance(value, str):
        raise RowError(f"`{name}` must be a text such as stop or length, or left out.", name)
    reason = _FINISHES.get(value.strip().lower(), value.strip().lower())
    return reason if reason in Response.FinishReason.values else Response.FinishReason.UNKNOWN.value
