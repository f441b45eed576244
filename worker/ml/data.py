"""From JSONL rows to token ids, with the loss on the answer and its end token and on nothing else."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.ml.chat import as_text, render_example, render_prompt
from worker.ml.errors import MlError

_SHOWN = 20
_RECORDED = 1000


@dataclass(frozen=True)
class Row:
    """One example: `input` and `output` are text or JSON values."""

    id: str
    instruction: str
    input: Any
    output: Any


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
    """The examples of a JSONL file with the keys id, instruction, input and output."""
    return [row_of(path, number, item) for number, item in enumerate(read_jsonl(path), start=1)]


def row_of(path: Path, number: int, item: dict[str, Any]) -> Row:
    """One example of a file; raises MlError("data_invalid") if it lacks a key."""
    missing = {"id", "instruction", "input", "output"} - item.keys()
    if missing:
        raise MlError("data_invalid", f"Row {number} of {path} lacks {', '.join(sorted(missing))}.")
    return Row(str(item["id"]), str(item["instruction"]), item["input"], item["output"])


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
    rows: list[Row], tokenizer: Any, stop_ids: set[int], max_length: int | None = None
) -> list[TokenisedRow]:
    """Tokenise for training; every row keeps its end token or, given `max_length`, none is returned.

    `stop_ids` are the tokens that end a generated answer. Raises MlError: rows_too_long (naming the rows,
    their lengths in tokens and the remedies), template_without_end, control_token_in_text,
    template_inconsistent.
    """
    refuse_control_tokens(tokenizer, ((row.id, (row.instruction, row.input, row.output)) for row in rows))
    tokenised = [_tokenise(row, tokenizer, stop_ids) for row in rows]
    too_long = [row for row in tokenised if max_length is not None and len(row.input_ids) > max_length]
    if too_long and max_length is not None:
        raise _too_long(too_long, len(rows), max_length)
    return tokenised


def prompt_ids(tokenizer: Any, instruction: str, input_value: Any) -> list[int]:
    """Token ids of one prompt, as training saw it and as generation gives it."""
    return _encode(tokenizer, render_prompt(tokenizer, instruction, input_value))


def refuse_control_tokens(tokenizer: Any, items: Iterable[tuple[str, tuple[Any, ...]]]) -> None:
    """Refuse text that spells a control token: it could end the turn early or open another speaker's.

    `items` are (row id, values). Raises MlError("control_token_in_text").
    """
    guilty = [(row_id, token) for row_id, values in items for token in control_tokens(tokenizer, values)]
    if guilty:
        shown = ", ".join(f"{row_id} ({token})" for row_id, token in guilty[:_SHOWN])
        raise MlError(
            "control_token_in_text",
            f"{len(guilty)} rows contain the base model's own control tokens: {shown}; remove them from the "
            f"text.",
        )


def control_tokens(tokenizer: Any, values: tuple[Any, ...]) -> list[str]:
    """The control tokens that the values spell out."""
    text = "\n".join(as_text(value) for value in values)
    return [token for token in map(str, tokenizer.all_special_tokens) if token in text]


def _parse_line(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        item = json.loads(line)
    except ValueError as error:
        raise MlError("data_invalid", f"Line {number} of {path} is not JSON: {error}.") from error
    if not isinstance(item, dict):
        raise MlError("data_invalid", f"Line {number} of {path} is not a JSON object.")
    return item


def _tokenise(row: Row, tokenizer: Any, stop_ids: set[int]) -> TokenisedRow:
    # Prompt and completion are encoded apart, so that no token straddles the border and the prompt's ids are
    # exactly those of generation.
    prompt_text, completion_text = render_example(tokenizer, row.instruction, row.input, row.output)
    prompt, completion = _encode(tokenizer, prompt_text), _encode(tokenizer, completion_text)
    ends = [index for index, token in enumerate(completion) if token in stop_ids]
    if not ends:
        raise MlError(
            "template_without_end",
            f"The chat template puts no end token after the answer of row {row.id}, so the model could never "
            f"learn "
            "to stop; use a base model whose template ends a turn with its end-of-sequence token.",
        )
    # What a template writes after the end token (often a newline) is never generated, so it is not trained.
    completion = completion[: ends[0] + 1]
    return TokenisedRow(row.id, prompt + completion, [0] * len(prompt) + [1] * len(completion))


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
