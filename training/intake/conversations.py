"""Conversations: from the turns in a file to one stored row. No files and no database.

A turn is `{"role", "content"}` (OpenAI) or `{"from", "value"}` (ShareGPT). The last assistant turn that is trained on
becomes the row's `output`; the turns before it stay in `messages`, and later ones are dropped and counted. A system
turn, a user turn and an answer make a row in the short form: `instruction`, `input`, `output`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from training.intake.readers import json_text
from training.intake.readers.clean import require_clean
from training.intake.readers.lines import RowError, shown

Turn = dict[str, Any]

_ROLES = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "bot", "chatgpt"), "assistant"),
    **dict.fromkeys(("tool", "function", "observation"), "tool"),
}
# Which turn may follow which; `calls` is an assistant turn with tool calls, "" the beginning.
_NEXT = {
    "": ("system", "user"),
    "system": ("user",),
    "user": ("assistant",),
    "assistant": ("user",),
    "calls": ("tool",),
    "tool": ("tool", "assistant"),
}
_TURN_FIELDS = {"role", "content", "tool_calls", "tool_call_id", "name", "weight"}
# Fields that chat services add to a turn and that say nothing about its text.
_IGNORED = {"id", "created_at", "timestamp", "refusal", "annotations", "audio"}


@dataclass(frozen=True)
class Conversation:
    """A prompt of one or more turns and its answer. `dropped` counts the turns after the answer."""

    messages: list[Turn]
    output: Any
    tools: list[Any]
    dropped: int = 0

    def fields(self) -> dict[str, Any]:
        """The fields of the row: the short form if it holds everything, else `messages`."""
        if not self.tools and [set(turn) for turn in self.messages] == [{"role", "content"}] * 2:
            first, second = self.messages
            if (first["role"], second["role"]) == ("system", "user"):
                return {"instruction": first["content"], "input": second["content"], "output": self.output}
        given = {"messages": self.messages, "output": self.output}
        return given | ({"tools": self.tools} if self.tools else {})


def is_turns(value: Any) -> bool:
    """Whether a cell holds a list of turns, of either spelling."""
    first = value[0] if isinstance(value, list) and value else None
    return isinstance(first, dict) and (
        {"role", "content"} <= first.keys() or {"from", "value"} <= first.keys()
    )


def listed(value: Any, column: str) -> Any:
    """The cell itself, or the list in it if it is JSON text, as files without lists store them."""
    if not isinstance(value, str) or value.strip()[:1] != "[":
        return value
    found = json_text.parse(value, column)
    require_clean({column: found})
    return found


def turns_in(value: Any) -> list[Any] | None:
    """The turns in a cell, also in one that is their JSON text; None if it holds none."""
    try:
        found = listed(value, "")
    except RowError:
        return None
    return list(found) if is_turns(found) else None


def of_turns(
    value: Any, column: str, *, tools: Any = None, system: Any = None, output: Any = None
) -> Conversation:
    """The conversation in the cell of `column`. `system` is used if the turns have no system turn. With `output`, the
    turns are only the prompt, and `output` is a text, an object, or a list of one assistant turn.

    Raises RowError naming the turn and its field.
    """
    turns = _ordered(value, column, system)
    if output is not None:
        if turns[-1]["role"] not in ("user", "tool"):
            raise RowError(f"`{column}` must end with a user turn, because the answer is given.", column)
        return Conversation(turns, _answer(output), _tools(tools))
    last = next((n for n, turn in reversed(list(enumerate(turns))) if _is_trained(turn)), None)
    if last is None:
        raise RowError(f"`{column}` has no assistant turn to learn from.", column)
    return Conversation(turns[:last], _output(turns[last]), _tools(tools), len(turns) - last - 1)


def of_prompt(value: Any, column: str, *, tools: Any = None, system: Any = None) -> Conversation:
    """The conversation to be answered. If its last turn is the assistant's, that is the expected `output`; otherwise
    `output` is None.

    Raises RowError as `of_turns` does.
    """
    turns = _ordered(value, column, system)
    if turns[-1]["role"] == "assistant":
        return Conversation(turns[:-1], _output(turns[-1]), _tools(tools))
    if turns[-1]["role"] == "system":
        raise RowError(f"`{column}` must end with a user turn, a tool's, or the expected answer.", column)
    return Conversation(turns, None, _tools(tools))


def of_answer(value: Any, column: str, asked: list[Turn]) -> Any:
    """The answer in a turn or in a list of turns: the assistant's turn alone, or after the turns `asked`."""
    turns = _turns([value] if isinstance(value, dict) else value, column)
    if turns[:-1] not in ([], asked) or turns[-1]["role"] != "assistant":
        said = f"`{column}` must be one assistant turn, alone or after the turns of the prompt."
        raise RowError(said, column)
    return _output(turns[-1])


def of_parts(system: Any, history: Any, user: str, output: Any, *, tools: Any = None) -> Conversation:
    """The conversation of columns: system text, earlier `[question, answer]` pairs, and the user's last text."""
    turns: list[Turn] = []
    if not _is_empty(system):
        turns.append({"role": "system", "content": _text(system, "system")})
    pairs = [] if _is_empty(history) else listed(history, "history")
    if not isinstance(pairs, list):
        raise RowError("`history` must be a list of [question, answer] pairs.", "history")
    for number, pair in enumerate(pairs):
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise RowError("`history` must be a list of [question, answer] pairs.", f"history[{number}]")
        for role, text in zip(("user", "assistant"), pair, strict=True):
            if _is_empty(text):
                raise RowError("`history` has an empty text.", f"history[{number}]")
            turns.append({"role": role, "content": _text(text, f"history[{number}]")})
    return Conversation([*turns, {"role": "user", "content": user}], output, _tools(tools))


def _ordered(value: Any, column: str, system: Any) -> list[Turn]:
    turns = _turns(value, column)
    if turns[0]["role"] != "system" and not _is_empty(system):
        turns.insert(0, {"role": "system", "content": _text(system, "system")})
    _require_order(turns, column)
    return turns


def _is_trained(turn: Turn) -> bool:
    return bool(turn["role"] == "assistant" and turn.get("weight") != 0)


def _turns(value: Any, column: str) -> list[Turn]:
    value = listed(value, column)
    if not isinstance(value, list) or not value:
        raise RowError(f"`{column}` must be a list of turns, each with a role and a text.", column)
    turns = [_turn(item, f"{column}[{number}]") for number, item in enumerate(value)]
    # An empty system turn says nothing; exports write one for every conversation.
    if turns[0] == {"role": "system", "content": ""} and len(turns) > 1:
        return turns[1:]
    return turns


def _turn(item: Any, place: str) -> Turn:
    if not isinstance(item, dict):
        raise RowError(f"`{place}` must be a turn with a role and a text.", place)
    given = {name: inner for name, inner in item.items() if inner not in (None, [])}
    sharegpt = "from" in given and "role" not in given
    names = {"from": "role", "value": "content"} if sharegpt else {}
    given = {names.get(name, name): inner for name, inner in given.items()}
    if unknown := sorted(given.keys() - _TURN_FIELDS - _IGNORED):
        raise RowError(
            f"`{place}` has the unknown field {shown(unknown)}; a turn has {', '.join(sorted(_TURN_FIELDS))}.",
            f"{place}.{shown(unknown[:1])}",
        )
    role = given.get("role")
    if not isinstance(role, str) or role.strip().lower() not in _ROLES:
        wrong = shown([role]) if isinstance(role, str) else "missing"
        where = f"{place}.{'from' if sharegpt else 'role'}"
        said = f"The role of `{place}` is {wrong}; use system, user, assistant or tool."
        raise RowError(said, where)
    turn: Turn = {"role": _ROLES[role.strip().lower()]}
    turn["content"] = _text(given.get("content", ""), f"{place}.{'value' if sharegpt else 'content'}")
    return turn | _extras(given, turn, place)


def _extras(given: Turn, turn: Turn, place: str) -> Turn:
    """The optional fields of a turn, after a check that it has a text if it needs one."""
    found: Turn = {}
    if calls := listed(given.get("tool_calls"), f"{place}.tool_calls"):
        if turn["role"] != "assistant":
            raise RowError(f"`{place}` has tool calls; only assistant turns can.", f"{place}.tool_calls")
        found["tool_calls"] = _calls(calls, f"{place}.tool_calls")
    if turn["role"] in ("user", "assistant") and not found and not turn["content"].strip():
        raise RowError(f"`{place}` has no text. Remove the turn or the row.", place)
    if turn["role"] == "system" and not turn["content"].strip():
        turn["content"] = ""
    for name in ("tool_call_id", "name"):
        if name in given:
            if not isinstance(given[name], str):
                raise RowError(f"`{place}.{name}` must be a text.", f"{place}.{name}")
            found[name] = given[name]
    if "weight" in given and turn["role"] == "assistant":
        if given["weight"] not in (0, 1):
            raise RowError(f"`{place}.weight` must be 0 or 1.", f"{place}.weight")
        found["weight"] = int(given["weight"])
    return found


def _text(value: Any, place: str) -> str:
    """The text of a turn, also of one that is a list of text parts."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise RowError(f"`{place}` must be a text.", place)
    texts = []
    for number, part in enumerate(value):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind != "text" or not isinstance(part.get("text"), str):
            named = shown([kind]) if isinstance(kind, str) and kind != "text" else "no text"
            said = f"`{place}` has a part that is {named}; only text can be used. Remove the row."
            raise RowError(said, f"{place}[{number}]")
        texts.append(part["text"])
    return "\n".join(texts)


def _calls(calls: Any, place: str) -> list[Any]:
    for number, call in enumerate(calls if isinstance(calls, list) else [None]):
        if not _is_call(call) or not call["function"]["name"]:
            said = f"`{place}` must be a list of calls, each with a `function` that has a `name`."
            raise RowError(said, f"{place}[{number}]")
    return list(calls)


def _tools(value: Any) -> list[Any]:
    tools = listed(value, "tools")
    if _is_empty(tools):
        return []
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise RowError("`tools` must be a list of objects that describe functions.", "tools")
    for number, tool in enumerate(tools):
        function = tool.get("function", tool)
        if not isinstance(function, dict) or not isinstance(function.get("name", ""), str):
            place = f"tools[{number}]"
            raise RowError(f"`{place}` must describe a function that has a `name`.", place)
    return tools


def _require_order(turns: Sequence[Turn], column: str) -> None:
    before = ""
    for number, turn in enumerate(turns):
        role = turn["role"]
        if role not in _NEXT[before]:
            raise RowError(_misplaced(before, role, f"{column}[{number}]"), f"{column}[{number}]")
        before = "calls" if "tool_calls" in turn else role


def _misplaced(before: str, role: str, place: str) -> str:
    if role == "system":
        return f"`{place}` is a system turn; only the first turn can be one. Join them into one."
    if not before or before == "system":
        return f"The conversation begins with `{place}` of the {role}; it must begin with a user turn."
    if role == before:
        return f"`{place}` is a second {role} turn in a row. Join the two turns into one."
    if before == "calls":
        return f"`{place}` follows a tool call, so it must be the tool's result."
    return f"`{place}` is a {role} turn after a {before} turn; expected {' or '.join(_NEXT[before])}."


def _output(turn: Turn) -> Any:
    if "tool_calls" in turn:
        return {"content": turn["content"], "tool_calls": turn["tool_calls"]}
    return turn["content"]


def _answer(value: Any) -> Any:
    """An answer in a column of its own: a text, an object, or a list of one assistant turn."""
    found = turns_in(value)
    if found is None:
        return value
    turns = _turns(found, "output")
    if len(turns) != 1 or turns[0]["role"] != "assistant":
        raise RowError("The answer must be one assistant turn.", "output")
    return _output(turns[0])


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | dict) and not value) or str(value).isspace()


# --- Stored rows ------------------------------------------------------------------------------------------


def prompt_parts(row: Mapping[str, Any]) -> tuple[str, Any]:
    """Instruction and input of a stored row of either form. A conversation of one user turn is an instruction without
    input, because models read both in the same way; of a longer one, the input is the list of what was said."""
    if "messages" not in row:
        return row["instruction"], row["input"]
    turns = row["messages"]
    system = turns[0]["content"] if turns[0]["role"] == "system" else ""
    said = [_said(turn) for turn in (turns[1:] if system else turns)]
    if len(said) > 1:
        return system, said
    return (system, said[0]) if system else (said[0], "")


def _said(turn: Turn) -> Any:
    return [turn["content"], turn["tool_calls"]] if "tool_calls" in turn else turn["content"]


def prompt_content(conversation: Conversation) -> dict[str, Any]:
    """What a prompt stores: `instruction` and `input` if they hold it all, else `messages` and, if there are any,
    `tools`. Weights are left out, because they concern training."""
    turns = [{name: turn[name] for name in turn if name != "weight"} for turn in conversation.messages]
    row = {"messages": turns} | ({"tools": conversation.tools} if conversation.tools else {})
    if not is_single_question(row):
        return row
    instruction, given = prompt_parts(row)
    return {"instruction": instruction, "input": given}


def spoken(output: Any) -> Any:
    """An answer as it is matched: its tool calls by name and arguments alone, because ids differ each time."""
    calls = output.get("tool_calls") if isinstance(output, dict) else None
    if not isinstance(calls, list) or not all(map(_is_call, calls)):
        return output
    said = {"content": output["content"]} if output.get("content") else {}
    return said | {"tool_calls": [_called(call["function"]) for call in calls]}


def spoken_text(text: str) -> str:
    """A response as it is stored: JSON of an answer with tool calls as `spoken` has it, other text unchanged."""
    if '"tool_calls"' not in text:
        return text
    try:
        output = json_text.parse(text)
    except RowError:
        return text
    said = spoken(output)
    return text if said == output else json.dumps(said, ensure_ascii=False)


def _is_call(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    return isinstance(function, dict) and isinstance(function.get("name"), str)


def _called(function: dict[str, Any]) -> dict[str, Any]:
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        with suppress(RowError):
            read = json_text.parse(arguments, "arguments")
            require_clean(read)
            arguments = read
    return {"name": function["name"], "arguments": arguments}


def is_single_question(row: dict[str, Any]) -> bool:
    """Whether instruction and input, as `prompt_parts` returns them, hold the whole prompt."""
    if "messages" not in row:
        return True
    roles = [turn["role"] for turn in row["messages"]]
    return "tools" not in row and roles in (["user"], ["system", "user"])


def texts(value: Any) -> Iterator[str]:
    """All texts in an input: of an object its values, of a conversation what was said."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    else:
        yield str(value)
