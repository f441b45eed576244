"""Reads what an OpenAI-compatible endpoint answers: a completion, or one event of a stream.

Servers differ: text comes as parts, the reason for the end has another name or none, events come without a choice.
What is a complete text all the same is kept; anything else is an EndpointError and never a text.
"""

import json
from dataclasses import dataclass
from typing import Any

_SHOWN = 200
_WORD = 40
_FINISH = {
    "stop": ("stop", "stop_sequence", "eos", "eos_token", "end", "end_turn"),
    "length": ("length", "max_tokens"),
    "filter": ("content_filter",),
}
_CALLS = ("tool_calls", "function_call", "tool_use")
_MEANING = {word: finish for finish, words in _FINISH.items() for word in words} | dict.fromkeys(
    _CALLS, "stop"
)
_FAILED = frozenset({"abort", "aborted", "cancelled", "error"})


class EndpointError(Exception):
    """`code` is stable; `passing` says that trying again may help, `wait` is how long the endpoint asked for, in
    seconds."""

    def __init__(self, code: str, message: str, *, passing: bool = True, wait: float = 0.0) -> None:
        super().__init__(message)
        self.code, self.passing, self.wait = code, passing, wait


@dataclass(frozen=True)
class Finish:
    """Why a response ended: `reason` is "stop", "length", "filter" or "unknown"; `word` is the endpoint's own."""

    reason: str
    word: str


def parse(data: bytes) -> Any:
    """The JSON value of an answer. Raises EndpointError, also for an error that comes with the status 200."""
    try:
        body = json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise EndpointError(
            "endpoint_encoding", f"Byte {error.start:,} of the endpoint's answer is no UTF-8."
        ) from error
    except (ValueError, RecursionError) as error:
        raise EndpointError(
            "endpoint_malformed", f"The endpoint's answer is no JSON: {shown(data)}"
        ) from error
    if isinstance(body, dict) and body.get("error"):
        raise EndpointError("endpoint_error", f"The endpoint answered 200 with an error: {shown(data)}")
    return body


def names(listed: Any) -> list[str]:
    """The models in a list of models: an array, or an object whose `data` is one."""
    models = listed.get("data") if isinstance(listed, dict) else listed
    if not isinstance(models, list):
        raise EndpointError("endpoint_malformed", "The endpoint's list of models is no list.")
    return [str(model.get("id") if isinstance(model, dict) else model) for model in models]


def required_object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise EndpointError("endpoint_malformed", "The endpoint's answer is no JSON object.")
    return body


def only_choice(body: Any) -> dict[str, Any]:
    """The choice of a whole completion."""
    choice = event_choice(required_object(body))
    if choice is None or not isinstance(choice.get("message"), dict):
        raise EndpointError("endpoint_malformed", "The endpoint's answer holds no choice with a message.")
    return choice


def event_choice(event: dict[str, Any]) -> dict[str, Any] | None:
    """The choice of an event; None for one without, such as the event with the token counts."""
    choices = event.get("choices")
    if not choices:
        return None
    if not isinstance(choices, list) or not isinstance(choices[0], dict):
        raise EndpointError("endpoint_malformed", "The endpoint's choices are no list of objects.")
    if choices[0].get("error"):
        raise EndpointError("endpoint_error", f"The endpoint failed: {shown(str(choices[0]).encode())}")
    return choices[0]


def delta_of(choice: dict[str, Any]) -> dict[str, Any]:
    """What an event adds; the last one may add nothing."""
    return required_object(choice.get("delta") or {})


def finish_of(choice: dict[str, Any]) -> Finish:
    """Why the response ended. An unknown reason, or none, does not make the text wrong; only a failure does."""
    word = choice.get("finish_reason")
    word = "" if word is None else str(word).strip()[:_WORD]
    if word.lower() in _FAILED:
        raise EndpointError(
            "endpoint_unfinished", f"The endpoint ended with the reason {word!r}, so this is no response."
        )
    return Finish(_MEANING.get(word.lower(), "unknown"), word)


def text_of(message: dict[str, Any], finish: Finish) -> str:
    """The text of a message; with tool calls, the JSON that datasets have for such an answer.

    No text at all is a response only if a limit or a filter cut it before its first word.
    """
    content, calls = message.get("content"), message.get("tool_calls")
    if isinstance(calls, list) and calls:
        text = json.dumps({"content": piece_of(content), "tool_calls": calls}, ensure_ascii=False)
        return _whole_characters(text)
    if content is None and finish.reason not in ("length", "filter"):
        raise EndpointError("endpoint_no_text", "The endpoint's message holds no text.", passing=False)
    return piece_of(content)


def piece_of(content: object) -> str:
    """A text, or a list of text parts, as one text. Thoughts that have a part of their own are left out, as those in
    a field of their own are."""
    if isinstance(content, list):
        return "".join(map(_part, content))
    if content is not None and not isinstance(content, str):
        raise EndpointError("endpoint_no_text", "The endpoint's message holds no text.", passing=False)
    return _whole_characters(content or "")


def _part(part: object) -> str:
    if isinstance(part, dict) and part.get("type") in ("thinking", "reasoning"):
        return ""
    text = part.get("text") if isinstance(part, dict) else part
    if not isinstance(text, str):
        kind = part.get("type") if isinstance(part, dict) else type(part).__name__
        raise EndpointError(
            "endpoint_no_text", f"The endpoint's message has a part that is no text: {kind}.", passing=False
        )
    return _whole_characters(text)


def _whole_characters(text: str) -> str:
    """Halves of surrogate pairs can be written in JSON, but no text can hold them."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def usage_of(body: dict[str, Any]) -> tuple[int | None, int | None]:
    """The numbers of tokens read and written; None where the endpoint did not say."""
    usage = body.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    given = (counts.get("prompt_tokens"), counts.get("completion_tokens"))
    read, written = (count if type(count) is int and count >= 0 else None for count in given)
    return read, written


def shown(data: bytes) -> str:
    """The beginning of an answer, for a message."""
    text = " ".join(data.decode("utf-8", "replace").split())
    return text[:_SHOWN] + ("…" if len(text) > _SHOWN else "")
