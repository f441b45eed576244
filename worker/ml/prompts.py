"""What a generation job is asked: prompts with the responses still wanted, and the latencies still to be measured."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from worker.ml.data import read_jsonl
from worker.ml.errors import MlError


class PromptLine(BaseModel):
    """One line of the prompts file; `wanted` are the responses still missing, as (model, sample)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt_id: str | int
    key: str
    instruction: str
    input: Any
    wanted: list[tuple[str, int]]


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
