"""What a base model's chat template supports: `python -m worker.ml.probe JOB.json`.

Short conversations are rendered by the very functions that training and generation use. A template that loses text of
a conversation is refused; one without a system turn, tools or thoughts is described.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from worker.ml.chat import (
    Turn,
    render_answer,
    render_turns,
    rendering,
    template_hash,
    use_rendering,
    with_thoughts,
)
from worker.ml.errors import MlError
from worker.ml.models import load_tokenizer
from worker.ml.protocol import Reporter, run_command

_SYSTEM = {"role": "system", "content": "Probe of the system turn."}
_TURNS = [
    {"role": "user", "content": "Probe of the first question."},
    {"role": "assistant", "content": "Probe of the first answer."},
    {"role": "user", "content": "Probe of the second question."},
]
_ANSWER = {"role": "assistant", "content": "Probe of the second answer."}
_THOUGHT = {"role": "assistant", "content": "<think>\nProbe of a thought.\n</think>\n\nProbe of an answer."}
_CALL = {"type": "function", "function": {"name": "probe_tool", "arguments": {"city": "Oslo"}}}
_TOOL = {
    "type": "function",
    "function": {
        "name": "probe_tool",
        "description": "Probe of a tool.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
_TOOL_TURNS: list[Turn] = [
    _TURNS[0],
    {"role": "assistant", "content": "", "tool_calls": [_CALL]},
    {"role": "tool", "name": "probe_tool", "content": "Probe of a result."},
]


class ProbeJob(BaseModel):
    """The job file: a model's folder, which `model_folder.inspect` has accepted, and its embedding's rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path
    vocabulary: int


def main(reporter: Reporter, raw_job: dict[str, Any]) -> None:
    """Run one job; emits `done` with the result of `probe`."""
    job = ProbeJob.model_validate(raw_job)
    tokenizer = load_tokenizer(job.folder, embedding_rows=job.vocabulary)
    reporter.emit("done", result=probe(tokenizer))


def probe(tokenizer: Any) -> dict[str, Any]:
    """What the template supports: `system` ("turn" or "folded"), `tools`, `thoughts` and `dated` (booleans), with
    `hash`, the template's.

    Raises MlError("template_drops_text"), ("template_failed") or ("template_inconsistent") for a template that a
    conversation does not survive.
    """
    used = rendering(tokenizer)
    render_answer(tokenizer, [_SYSTEM, *_TURNS], _ANSWER)
    render_answer(tokenizer, _TURNS, _ANSWER)
    found = {
        "system": used.system,
        "tools": _works(lambda: render_turns(tokenizer, _TOOL_TURNS, [_TOOL])),
        "dated": used.date is not None,
        "hash": template_hash(tokenizer),
    }
    with_thoughts(tokenizer)
    found["thoughts"] = _works(lambda: render_answer(tokenizer, _TURNS[:1], _THOUGHT))
    use_rendering(tokenizer, used)
    return found


def _works(render: Callable[[], object]) -> bool:
    try:
        render()
    except MlError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(run_command(main))
