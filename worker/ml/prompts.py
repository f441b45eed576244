"""What a generation job is asked: prompts with the responses still wanted, and the latencies still to be measured."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from worker.ml.chat import Turn, prompt_messages
from worker.ml.data import check_turns, read_jsonl
from worker.ml.errors import MlError


class PromptLine(BaseModel):
    """One line of the prompts file: a prompt in short form or as messages with optional tools. `wanted` are the
    responses still missing, as (model, sample)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt_id: str | int
    key: str
    instruction: str = ""
    input: Any = None
    messages: list[Turn] | None = None
    tools: list[Any] | None = None
    wanted: list[tuple[str, int]]

    @property
    def turns(self) -> list[Turn]:
        """The turns that the model is given."""
        if self.messages is None:
            return prompt_messages(self.instruction, self.input)
        return check_turns(f"Prompt {self.key}", self.messages)


class Measurement(BaseModel):
    """One planned measurement; `place` is its place in the random order of the whole run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt_id: str | int
    model: str
    place: int


def read_prompts(file: Path) -> list[PromptLine]:
    """Every line of the prompts file; raises MlError("data_invalid") at one that is no prompt."""
    try:
        return [PromptLine.model_validate(item) for item in read_jsonl(file)]
    except ValidationError as error:
        raise MlError(
            "data_invalid", f"{file} has a line that is no prompt: {error.errors()[0]['msg']}."
        ) from error
