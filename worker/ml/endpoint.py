"""One request to an OpenAI-compatible chat endpoint: a response, or a named failure. Nothing else ever comes out.

Standard library only, so that a worker needs no machine-learning package for an engine that runs elsewhere. An
endpoint can fail in the middle of a word, answer 200 with an error inside, or drip bytes for ever; `completions` tells
a response from a failure.
"""

import http.client
import json
import ssl
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from worker.ml import completions
from worker.ml.completions import EndpointError, Finish

MAX_BYTES = 64 * 2**20
_BLOCK = 1 << 16
# Statuses that another try may change; the others are about the request itself.
_PASSING = frozenset({408, 425, 429, *range(500, 600)})
# What gzip begins with, and neither JSON nor a stream of events.
_PACKED = b"\x1f"
# Comments and the fields of a server-sent event beside its data.
_NO_DATA = (b":", b"event:", b"id:", b"retry:")
_DONE = b"[DONE]"


@dataclass(frozen=True)
class Completion:
    """A response; token counts are None where the endpoint did not say. Times are in seconds."""

    text: str
    finish: Finish
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
        return completions.names(completions.parse(b"".join(self._blocks("GET", "/models", None))))

    def complete(self, request: dict[str, Any]) -> Completion:
        """Ask for one response in one piece. Raises EndpointError."""
        began = time.monotonic()
        body = completions.parse(b"".join(self._blocks("POST", "/chat/completions", request)))
        seconds = time.monotonic() - began
        choice = completions.only_choice(body)
        finish = completions.finish_of(choice)
        text = completions.text_of(choice["message"], finish)
        return Completion(text, finish, *completions.usage_of(body), seconds)

    def stream(self, request: dict[str, Any]) -> Completion:
        """Ask for one response token by token and note when the first one came. Raises EndpointError."""
        asked = request | {"stream": True, "stream_options": {"include_usage": True}}
        began = time.monotonic()
        pieces: list[str] = []
        finish, first = None, None
        tokens: tuple[int | None, int | None] = (None, None)
        for event in self._events(asked):
            if event is None:
                finish = finish or Finish("unknown", "")
                break
            if event.get("usage"):
                tokens = completions.usage_of(event)
            choice = completions.event_choice(event)
            if choice is None:
                continue
            delta = completions.delta_of(choice)
            piece = completions.piece_of(delta.get("content"))
            if first is None and (piece or delta.get("tool_calls")):
                first = time.monotonic() - began
            pieces.append(piece)
            if choice.get("finish_reason"):
                finish = completions.finish_of(choice)
        if finish is None:
            raise EndpointError("endpoint_cut", "The endpoint's stream ended before the response did.")
        return Completion("".join(pieces), finish, *tokens, time.monotonic() - began, first)

    def _events(self, request: dict[str, Any]) -> Iterator[dict[str, Any] | None]:
        """Server-sent events of one streamed completion, and None where the endpoint says that they end. Whatever is
        no event is read as one, because an error may be sent instead of a stream."""
        for line in _lines(self._blocks("POST", "/chat/completions", request)):
            if not line.strip() or line.startswith(_NO_DATA):
                continue
            data = line.removeprefix(b"data:").strip()
            if data == _DONE:
                yield None
            elif (event := completions.parse(data)) is not None:
                yield completions.required_object(event)

    def _blocks(self, method: str, path: str, request: dict[str, Any] | None) -> Iterator[bytes]:
        """The body of an answer as it comes, unpacked, within the time that the whole of it may take."""
        deadline, size = time.monotonic() + self._timeout, 0
        with self._answer(method, path, request) as answer:
            for block in _unpacked(iter(lambda: answer.read1(_BLOCK), b"")):
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
        except zlib.error as error:
            raise EndpointError("endpoint_malformed", "The endpoint's answer is damaged gzip.") from error
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
    said = completions.shown(next(_unpacked(iter([answer.read(_BLOCK)])), b""))
    if answer.status in (401, 403):
        return EndpointError(
            "endpoint_key", f"The endpoint refused the key ({answer.status}): {said}", passing=False
        )
    return EndpointError(
        "endpoint_status",
        f"The endpoint answered {answer.status}: {said}",
        passing=answer.status in _PASSING,
        wait=_asked_wait(answer.headers.get("Retry-After", "").strip()),
    )


def _asked_wait(given: str) -> float:
    """The seconds that a Retry-After header asks for, as a number or as a date; 0 if it says neither."""
    if given.isdecimal():
        return float(given)
    try:
        until = parsedate_to_datetime(given)
    except ValueError:
        return 0.0
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _unpacked(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The blocks, unpacked in small pieces if they are gzip, which some servers and proxies send unasked."""
    first = next(blocks, b"")
    if not first.startswith(_PACKED):
        yield from filter(None, [first])
        yield from blocks
        return
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    for block in chain([first], blocks):
        left = block
        while left:
            yield unpacker.decompress(left, _BLOCK)
            left = unpacker.unconsumed_tail
    yield unpacker.flush()


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a body that comes in blocks; the last one may lack its end."""
    held: list[bytes] = []
    for block in blocks:
        begun, *others = block.split(b"\n")
        held.append(begun)
        for other in others:
            yield b"".join(held)
            held = [other]
    yield b"".join(held)
