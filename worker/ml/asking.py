"""The request for one response, as an OpenAI-compatible endpoint reads it."""

from dataclasses import dataclass
from typing import Any

from training.config import REQUEST_PARAMETERS, DecodingConfig
from worker.ml.chat import Turn, as_text
from worker.ml.prompts import PromptLine
from worker.ml.sampling import stream


@dataclass(frozen=True)
class Question:
    """One response to be asked for."""

    prompt: PromptLine
    model: str
    sample: int


def request_body(
    question: Question,
    served: str,
    decoding: DecodingConfig,
    parameters: dict[str, str],
    extra_body: dict[str, Any],
) -> dict[str, Any]:
    """The request to the model `served`. `parameters` renames some of its parameters, or leaves out those with an
    empty name."""
    luck = stream(decoding.seed, question.prompt.key, question.sample)
    values = {
        "max_tokens": decoding.max_new_tokens,
        "temperature": decoding.temperature,
        "top_p": decoding.top_p,
        "seed": luck.getrandbits(31),
    }
    return {
        "model": served,
        "messages": list(map(_message, question.prompt.turns)),
        **({"tools": question.prompt.tools} if question.prompt.tools else {}),
        **{name: value for key, value in values.items() if (name := parameters.get(key, key))},
        **extra_body,
    }


def remedy(refusal: str) -> str:
    """What to do about a refusal that names one of the parameters; empty if it names none."""
    named = [name for name in REQUEST_PARAMETERS if name in refusal]
    return f" Rename or leave out {named[0]} under the request parameters." if named else ""


def _message(turn: Turn) -> Turn:
    """A turn as the protocol has it: arguments of tool calls are JSON text, and a turn has no training weight."""
    message = {name: value for name, value in turn.items() if name != "weight"}
    if calls := message.pop("tool_calls", None):
        message["tool_calls"] = list(map(_call, calls))
    return message


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"] | {"arguments": as_text(call["function"].get("arguments", {}))}
    return {"type": "function"} | call | {"function": function}
