"""One request to an OpenAI-compatible chat endpoint: a response, or a named failure. Nothing else ever comes out.

Standard library only, so that a worker needs no machine-learning package for an engine that runs elsewhere. An
endpoint can fail in the middle of a word, answer 200 with an error inside, or drip bytes for ever; whatever is not a
well-formed chat completion with a known reason to end is a failure and never a text.
"""

import http.client
import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

MAX_BYTES = 64 * 2**20
_BLOCK = 1 << 16
_SHOWN = 200
_FINISH = {
    "stop": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "content_filter": "filter",
}
# Statuses that another try may change; the others are about the request itself.
_PASSING = frozenset({408, 425, 429, *range(500, 600)})


class EndpointError(Exception):
    """`code` is stable; `passing` says that trying again may help, `wait` is how long the endpoint asked for, in
    seconds."""

    def __init__(self, code: str, message: str, *, passing: bool = True, wait: float = 0.0) -> None:
        super().__init__(message)
        self.code, self.passing, self.wait = code, passing, wait


@dataclass(frozen=True)
class Completion:
    """A response; token counts are None where the endpoint did not say. Times are in seconds."""

    text: str
    finish_reason: str
    input_tokens: int | None
    output_tokens: int | None
    seconds: float
    first_seconds: float | None = None


class Client:
    """Talks to one endpoint; every answer must be complete within `timeout` seconds. Redirects are not followed."""

    def __init__(self, base_url: str, key: str, timeout: float) -> None:
        parts = urlsplit(base_url)
        self._host, self._path, self._timeout = parts.netloc, parts.path.rstrip("/"), timeout
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"

    def models(self) -> list[str]:
        """Names that the endpoint serves. Raises EndpointError."""
        listed = _json(b"".join(self._blocks("GET", "/models", None))).get("data")
        if not isinstance(listed, list):
            raise EndpointError("endpoint_malformed", "The endpoint's list of models has no data.")
        return [str(item.get("id")) for item in listed if isinstance(item, dict)]

    def complete(self, request: dict[str, Any]) -> Completion:
        """Ask for one response in one piece. Raises EndpointError."""
        began = time.monotonic()
        body = _json(b"".join(self._blocks("POST", "/chat/completions", request)))
        seconds = time.monotonic() - began
        choice = _choice(body)
        finish = _finish(choice)
        return Completion(
            _text(_member(choice, "message").get("content"), finish), finish, *_usage(body), seconds
        )

    def stream(self, request: dict[str, Any]) -> Completion:
        """Ask for one response token by token and note when the first one came. Raises EndpointError."""
        asked = request | {"stream": True, "stream_options": {"include_usage": True}}
        began = time.monotonic()
        pieces: list[str] = []
        finish, first = "", None
        tokens: tuple[int | None, int | None] = (None, None)
        for event in self._events(asked):
            if event.get("usage"):
                tokens = _usage(event)
            if event.get("choices") == []:
                continue
            choice = _choice(event)
            piece = _member(choice, "delta").get("content")
            if piece:
                first = first or time.monotonic() - began
                pieces.append(_text(piece, "stop"))
            if choice.get("finish_reason"):
                finish = _finish(choice)
        if not finish:
            raise EndpointError("endpoint_cut", "The endpoint's stream ended before the response did.")
        return Completion("".join(pieces), finish, *tokens, time.monotonic() - began, first)

    def _events(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Server-sent events of one streamed completion, until [DONE]."""
        rest = b""
        for block in self._blocks("POST", "/chat/completions", request):
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                data = line.removeprefix(b"data:").strip()
                if data == b"[DONE]":
                    return
                if line.startswith(b"data:"):
                    yield _json(data)
        # An error that was sent instead of a stream has no such lines.
        if rest.strip():
            yield _json(rest.removeprefix(b"data:"))

    def _blocks(self, method: str, path: str, request: dict[str, Any] | None) -> Iterator[bytes]:
        """The body of an answer as it comes, within the time that the whole of it may take."""
        deadline, size = time.monotonic() + self._timeout, 0
        with self._answer(method, path, request) as answer:
            while block := answer.read1(_BLOCK):
                size += len(block)
                if size > MAX_BYTES:
                    raise EndpointError(
                        "endpoint_too_large",
                        f"The endpoint's answer passed {MAX_BYTES:,} bytes.",
                        passing=False,
                    )
                yield block
                if time.monotonic() > deadline:
                    raise self._timed_out()

    @contextmanager
    def _answer(
        self, method: str, path: str, request: dict[str, Any] | None
    ) -> Iterator[http.client.HTTPResponse]:
        """A successful answer, or whatever went wrong while asking and reading as an EndpointError."""
        connection = self._connection()
        try:
            body = None if request is None else json.dumps(request).encode()
            connection.request(method, self._path + path, body, self._headers)
            answer = connection.getresponse()
            if answer.status != 200:
                raise _refusal(answer)
            yield answer
        except TimeoutError as error:
            raise self._timed_out() from error
        except (OSError, http.client.HTTPException) as error:
            raise EndpointError(
                "endpoint_unreachable", f"The connection to the endpoint broke ({type(error).__name__})."
            ) from error
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls:
            return http.client.HTTPSConnection(self._host, timeout=self._timeout, context=self._tls)
        return http.client.HTTPConnection(self._host, timeout=self._timeout)

    def _timed_out(self) -> EndpointError:
        return EndpointError(
            "endpoint_timeout", f"The endpoint had not answered after {self._timeout:g} seconds."
        )


def _refusal(answer: http.client.HTTPResponse) -> EndpointError:
    shown = _shown(answer.read(_BLOCK))
    if answer.status in (401, 403):
        return EndpointError(
            "endpoint_key", f"The endpoint refused the key ({answer.status}): {shown}", passing=False
        )
    asked = answer.headers.get("Retry-After", "")
    return EndpointError(
        "endpoint_status",
        f"The endpoint answered {answer.status}: {shown}",
        passing=answer.status in _PASSING,
        wait=float(asked) if asked.isdigit() else 0.0,
    )


def _json(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise EndpointError(
            "endpoint_encoding", f"Byte {error.start:,} of the endpoint's answer is no UTF-8."
        ) from error
    except (ValueError, RecursionError) as error:
        raise EndpointError(
            "endpoint_malformed", f"The endpoint's answer is no JSON: {_shown(data)}"
        ) from error
    if not isinstance(body, dict):
        raise EndpointError("endpoint_malformed", "The endpoint's answer is no JSON object.")
    if body.get("error"):
        raise EndpointError("endpoint_error", f"The endpoint answered 200 with an error: {_shown(data)}")
    return body


def _choice(body: dict[str, Any]) -> dict[str, Any]:
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise EndpointError("endpoint_malformed", "The endpoint's answer holds no choice.")
    if choices[0].get("error"):
        raise EndpointError("endpoint_error", f"The endpoint failed: {_shown(str(choices[0]).encode())}")
    return choices[0]


def _member(choice: dict[str, Any], name: str) -> dict[str, Any]:
    found = choice.get(name)
    if not isinstance(found, dict):
        raise EndpointError("endpoint_malformed", f"The endpoint's answer holds no {name}.")
    return found


def _finish(choice: dict[str, Any]) -> str:
    reason = choice.get("finish_reason")
    if reason not in _FINISH:
        raise EndpointError(
            "endpoint_unfinished", f"The endpoint ended with the reason {reason!r}, so this is no response."
        )
    return _FINISH[reason]


def _text(content: object, finish: str) -> str:
    """The text; none at all is a response only if a limit or a filter cut it before its first word."""
    if content is None and finish != "stop":
        return ""
    if not isinstance(content, str):
        raise EndpointError("endpoint_no_text", "The endpoint's message holds no text.", passing=False)
    # Halves of surrogate pairs can be written in JSON, but no text can hold them.
    return content.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _usage(body: dict[str, Any]) -> tuple[int | None, int | None]:
    usage = body.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    given = (counts.get("prompt_tokens"), counts.get("completion_tokens"))
    read, written = (count if type(count) is int and count >= 0 else None for count in given)
    return read, written


def _shown(data: bytes) -> str:
    text = " ".join(data.decode("utf-8", "replace").split())
    return text[:_SHOWN] + ("…" if len(text) > _SHOWN else "")
