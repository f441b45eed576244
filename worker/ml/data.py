"""From JSONL rows to token ids, with the loss on the answer and its end token and on nothing else."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from training.config import MOST_TURNS
from worker.ml.chat import (
    Turn,
    answer_spans,
    as_text,
    prompt_messages,
    render_answer,
    render_turns,
    split_thought,
    with_thoughts,
)
from worker.ml.errors import MlError

# What is trained of a conversation: its last answer, or every answer of the assistant that has weight.
TrainedTurns = Literal["last", "all"]

_SHOWN = 20
_RECORDED = 1000
_ROLES = ("system", "user", "assistant", "tool")
# Rows may spell these: they are ordinary text of thinking models, whatever their tokenizers call them.
_THOUGHT_MARKS = ("<think>", "</think>")


@dataclass(frozen=True)
class Row:
    """One example: a prompt in short form (`instruction`, and `input` as text or a JSON value) or as `messages`, and
    the answer to train, as text or a JSON value. The answer of a conversation may hold tool calls."""

    id: str
    instruction: str
    input: Any
    output: Any
    messages: list[Turn] | None = None
    tools: list[Any] | None = None

    @property
    def turns(self) -> list[Turn]:
        """The turns before the answer."""
        return prompt_messages(self.instruction, self.input) if self.messages is None else self.messages

    @property
    def answer(self) -> Turn:
        """The assistant's turn to train."""
        if self.messages is not None and isinstance(self.output, dict) and "tool_calls" in self.output:
            calls = {"tool_calls": self.output["tool_calls"]}
            return {"role": "assistant", "content": self.output.get("content") or "", **calls}
        return {"role": "assistant", "content": as_text(self.output)}

    @property
    def has_thought(self) -> bool:
        return bool(split_thought(self.answer["content"])[0])


@dataclass(frozen=True)
class TokenisedRow:
    """Token ids of prompt and completion together, and 1 where the completion is; both of the same length."""

    id: str
    input_ids: list[int]
    completion_mask: list[int]


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file; raises MlError naming the file and the line of the first bad one."""
    objects = []
    try:
        with path.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    objects.append(_parse_line(path, number, line))
    except OSError as error:
        raise MlError("data_missing", f"The file {path} cannot be read: {error.strerror}.") from error
    if not objects:
        raise MlError("data_empty", f"The file {path} holds no rows; at least one is needed.")
    return objects


def read_rows(path: Path) -> list[Row]:
    """The examples of a JSONL file, in short form or as conversations."""
    return [row_of(path, number, item) for number, item in enumerate(read_jsonl(path), start=1)]


def row_of(path: Path, number: int, item: dict[str, Any]) -> Row:
    """One example of a file: `id`, `output`, and `instruction` with `input` or `messages` with optional `tools`.

    Raises MlError("data_invalid") if it lacks a key or has a turn of another form.
    """
    prompt = {"messages"} if "messages" in item else {"instruction", "input"}
    missing = ({"id", "output"} | prompt) - item.keys()
    if missing:
        raise MlError("data_invalid", f"Row {number} of {path} lacks {', '.join(sorted(missing))}.")
    if "messages" not in item:
        return Row(str(item["id"]), str(item["instruction"]), item["input"], item["output"])
    where = f"Row {number} of {path}"
    messages, output = check_turns(where, item["messages"]), item["output"]
    if isinstance(output, dict) and "tool_calls" in output:
        _check_turn(f"{where}, output", {"role": "assistant", "content": ""} | output)
    return Row(str(item["id"]), "", None, output, messages, item.get("tools"))


def check_turns(where: str, turns: Any) -> list[Turn]:
    """The turns of a prompt, which end with the user's or a tool's; raises MlError("data_invalid")."""
    if not isinstance(turns, list) or not 0 < len(turns) <= MOST_TURNS:
        raise MlError("data_invalid", f"{where} must have a list of 1 to {MOST_TURNS:,} turns as messages.")
    checked = [_check_turn(f"{where}, turn {number}", turn) for number, turn in enumerate(turns, start=1)]
    if checked[-1]["role"] not in ("user", "tool"):
        raise MlError(
            "data_invalid",
            f"{where} ends with a turn of the {checked[-1]['role']}; the last turn of messages must be the user's or "
            "a tool's.",
        )
    return checked


def _check_turn(where: str, turn: Any) -> Turn:
    calls = turn.get("tool_calls") if isinstance(turn, dict) else None
    content = turn.get("content") if isinstance(turn, dict) else None
    if content is None and calls:
        content = ""
    if not isinstance(turn, dict) or turn.get("role") not in _ROLES or not isinstance(content, str):
        raise MlError(
            "data_invalid", f"{where}: a turn needs a role ({', '.join(_ROLES)}) and a text as content."
        )
    if calls and not (isinstance(calls, list) and all(_is_call(call) for call in calls)):
        raise MlError("data_invalid", f"{where}: each tool call needs a function with a name.")
    return turn | {"content": content}


def _is_call(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    return isinstance(function, dict) and isinstance(function.get("name"), str)


def keep_fitting(rows: list[TokenisedRow], max_length: int) -> tuple[list[TokenisedRow], dict[str, Any]]:
    """The rows that keep their end token at `max_length`, and what the run records of the others: how many, and the
    id and length in tokens of the first of them. Raises MlError("rows_all_too_long") when none is left."""
    fitting = [row for row in rows if len(row.input_ids) <= max_length]
    long = [row for row in rows if len(row.input_ids) > max_length]
    if not fitting:
        longest = max(len(row.input_ids) for row in rows)
        raise MlError(
            "rows_all_too_long",
            f"Every one of the {len(rows)} rows is longer than max_length {max_length}, so none is left to train or "
            f"validate on; raise max_length to {longest}, or shorten the rows.",
        )
    shown = [{"id": row.id, "tokens": len(row.input_ids)} for row in long[:_RECORDED]]
    return fitting, {"rows": len(long), "first": shown}


def tokenise_rows(
    rows: list[Row],
    tokenizer: Any,
    stop_ids: set[int],
    max_length: int | None = None,
    *,
    trained: TrainedTurns = "last",
) -> list[TokenisedRow]:
    """Tokenise for training; every row keeps its end token or, given `max_length`, none is returned.

    `stop_ids` are the tokens that end a generated answer. Raises MlError: rows_too_long (naming the rows,
    their lengths in tokens and the remedies), template_without_end, control_token_in_text, and what
    `chat.render_answer` and `chat.answer_spans` raise.
    """
    refuse_control_tokens(tokenizer, stop_ids, rows)
    tokenised = [_tokenise(row, tokenizer, stop_ids, trained) for row in rows]
    too_long = [row for row in tokenised if max_length is not None and len(row.input_ids) > max_length]
    if too_long and max_length is not None:
        raise _too_long(too_long, len(rows), max_length)
    return tokenised


def render_for(rows: Iterable[Row], tokenizer: Any) -> None:
    """Choose the rendering for a run on these training rows: with thoughts if any of them carries one."""
    if any(row.has_thought for row in rows):
        with_thoughts(tokenizer)


def prompt_ids(tokenizer: Any, turns: Sequence[Turn], tools: Sequence[Any] | None = None) -> list[int]:
    """Token ids of one prompt, as training saw it and as generation gives it."""
    return _encode(tokenizer, render_turns(tokenizer, turns, tools))


def refuse_control_tokens(tokenizer: Any, stop_ids: set[int], rows: Iterable[Row]) -> None:
    """Refuse text that spells a control token: it could end the turn early or open another speaker's.

    Raises MlError("control_token_in_text").
    """
    spelled = control_tokens(tokenizer, stop_ids)
    guilty = [
        (row.id, token) for row in rows for token in spelled.within([*row.turns, row.answer], row.tools)
    ]
    if guilty:
        shown = ", ".join(f"{row_id} ({token})" for row_id, token in guilty[:_SHOWN])
        raise MlError(
            "control_token_in_text",
            f"{len(guilty)} rows contain the base model's own control tokens: {shown}; remove them from the "
            f"text.",
        )


@dataclass(frozen=True)
class ControlTokens:
    """The tokens with a meaning of their own, by id; text that spells one would become that token."""

    by_id: dict[int, str]

    def within(self, turns: Sequence[Turn], tools: Sequence[Any] | None = None) -> list[str]:
        """The control tokens that the texts of a conversation spell out."""
        parts = [
            as_text(value)
            for turn in turns
            for name, value in turn.items()
            if name in ("content", "tool_calls", "name", "tool_call_id") and value
        ]
        text = "\n".join([*parts, *map(as_text, tools or [])])
        return [token for token in self.by_id.values() if token in text]


def control_tokens(tokenizer: Any, stop_ids: set[int]) -> ControlTokens:
    """All added tokens that are marked special, and those that end an answer; the tokenizer's settings name only some
    of them."""
    return ControlTokens(
        {
            number: token.content
            for number, token in sorted(tokenizer.added_tokens_decoder.items())
            if (token.special or number in stop_ids) and token.content not in _THOUGHT_MARKS
        }
    )


def _parse_line(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        item = json.loads(line)
    except ValueError as error:
        raise MlError("data_invalid", f"Line {number} of {path} is not JSON: {error}.") from error
    if not isinstance(item, dict):
        raise MlError("data_invalid", f"Line {number} of {path} is not a JSON object.")
    return item


def _tokenise(row: Row, tokenizer: Any, stop_ids: set[int], trained: TrainedTurns) -> TokenisedRow:
    # Prompt and completion are encoded apart, so that no token straddles the border and the prompt's ids are
    # exactly those of generation.
    turns = row.turns
    prompt_text, completion_text = render_answer(tokenizer, turns, row.answer, row.tools)
    completion = _encode(tokenizer, completion_text)
    # What a template writes after the end token (often a newline) is never generated, so it is not trained.
    completion = completion[: _end(completion, stop_ids, row.id) + 1]
    prompt, mask = _encode(tokenizer, prompt_text), None
    if trained == "all":
        spans = answer_spans(tokenizer, turns, prompt_text, row.tools)
        prompt, mask = _mask_spans(tokenizer, prompt_text, spans, stop_ids, row.id)
    return TokenisedRow(row.id, prompt + completion, (mask or [0] * len(prompt)) + [1] * len(completion))


def _mask_spans(
    tokenizer: Any, text: str, spans: list[tuple[int, int]], stop_ids: set[int], row_id: str
) -> tuple[list[int], list[int]]:
    """The same ids as without a mask, and 1 from the start of each span to its first end token. A token that begins
    before a span is not trained."""
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, offsets = list(encoded["input_ids"]), encoded["offset_mapping"]
    mask = [0] * len(ids)
    place = 0
    for start, end in spans:
        while place < len(ids) and offsets[place][0] < start:
            place += 1
        last = place
        while last < len(ids) and offsets[last][1] <= end:
            last += 1
        stop = place + _end(ids[place:last], stop_ids, row_id)
        mask[place : stop + 1] = [1] * (stop + 1 - place)
        place = last
    return ids, mask


def _end(answer: list[int], stop_ids: set[int], row_id: str) -> int:
    """The place of the first end token of an answer."""
    for place, token in enumerate(answer):
        if token in stop_ids:
            return place
    raise MlError(
        "template_without_end",
        f"The chat template puts no end token after an answer of row {row_id}, so the model could never learn to "
        "stop; use a base model whose template ends a turn with its end-of-sequence token.",
    )


def _encode(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _too_long(rows: list[TokenisedRow], total: int, max_length: int) -> MlError:
    shown = ", ".join(f"{row.id} ({len(row.input_ids)})" for row in rows[:_SHOWN])
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    longest = max(len(row.input_ids) for row in rows)
    return MlError(
        "rows_too_long",
        f"{len(rows)} of {total} rows are longer than max_length {max_length} and would lose their end "
        f"token: "
        f"{shown}{more} tokens; raise max_length to {longest}, leave these rows out (long_rows: drop), or "
        f"shorten them in a new version of the dataset.",
    )
