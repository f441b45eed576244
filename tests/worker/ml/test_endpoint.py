"""What an endpoint may answer, and that nothing but a complete chat completion ever becomes a text."""

import json
import socket
import time

import pytest

from tests.worker.chat_server import completion, serving
from worker.ml import endpoint
from worker.ml.completions import EndpointError
from worker.ml.endpoint import Client

REQUEST = {"model": "base-served", "messages": [{"role": "user", "content": "Hi"}]}


def raw(body: bytes, status: int = 200, **headers):
    return lambda handler, request, nth: handler.reply(status, body, **headers)


def as_json(body):
    return raw(json.dumps(body).encode())


def outcome(behave, timeout=60.0, ask="complete"):
    with serving(behave) as server:
        try:
            return getattr(Client(server.url, "", timeout), ask)(REQUEST)
        except EndpointError as error:
            return error


def test_a_completion_becomes_a_response_with_its_tokens():
    found = outcome(as_json(completion("Hello there")))
    assert (found.text, found.finish.reason, found.input_tokens, found.output_tokens) == (
        "Hello there", "stop", 7, 2,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "text", "finish"),
    [
        (completion(""), "", "stop"),
        (completion(None, "length"), "", "length"),
        (completion("Half", "content_filter"), "Half", "filter"),
        (completion("x" * 1_000_000), "x" * 1_000_000, "stop"),
        (completion("a\ud800b"), "a\ufffdb", "stop"),
        (completion("\ud83d\ude00"), "😀", "stop"),
        (completion("Hi", usage=None), "Hi", "stop"),
        (completion("Hi", usage={"prompt_tokens": -1, "completion_tokens": "2"}), "Hi", "stop"),
    ],
    ids=["empty", "cut", "filtered", "1 MB", "half a pair", "a pair", "no usage", "odd usage"],
)
def test_odd_responses_are_still_responses(body, text, finish):
    found = outcome(as_json(body))
    assert (found.text, found.finish.reason) == (text, finish)


@pytest.mark.parametrize(
    ("behave", "code", "passing"),
    [
        (raw(b"boom", 500), "endpoint_status", True),
        (raw(b"slow down", 429), "endpoint_status", True),
        (raw(b"too long", 400), "endpoint_status", False),
        (raw(b"", 302, Location="http://127.0.0.1:1/"), "endpoint_status", False),
        (raw(b"no", 401), "endpoint_key", False),
        (raw(b"<html>Gateway error</html>"), "endpoint_malformed", True),
        (raw(b'{"choices": ['), "endpoint_malformed", True),
        (raw(b"[1]"), "endpoint_malformed", True),
        (raw(b"[" * 100_000), "endpoint_malformed", True),
        (raw(b'{"choices": [{"message": {"content": "caf\xe9"}}]}'), "endpoint_encoding", True),
        (as_json({"error": {"message": "CUDA out of memory"}}), "endpoint_error", True),
        (as_json({"error": "overloaded"} | completion("Error: overloaded")), "endpoint_error", True),
        (as_json({"choices": []}), "endpoint_malformed", True),
        (as_json({"choices": [{"finish_reason": "stop"}]}), "endpoint_malformed", True),
        (as_json(completion("Error: engine died", "error")), "endpoint_unfinished", True),
        (as_json(completion("Half a se", "abort")), "endpoint_unfinished", True),
        (as_json(completion(None)), "endpoint_no_text", False),
        (as_json(completion("x") | {"choices": [{"error": "x", "message": {}}]}), "endpoint_error", True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_everything_else_is_a_named_failure_and_never_a_text(behave, code, passing):
    error = outcome(behave)
    assert isinstance(error, EndpointError) and (error.code, error.passing) == (code, passing)


def test_the_failure_says_what_the_endpoint_said():
    assert "CUDA out of memory" in str(outcome(as_json({"error": {"message": "CUDA out of memory"}})))
    assert "Byte 41" in str(outcome(raw(b'{"choices": [{"message": {"content": "caf\xe9"}}]}')))


def test_a_silent_and_a_dripping_endpoint_time_out():
    def silent(handler, request, nth):
        time.sleep(60)

    def dripping(handler, request, nth):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(600):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)

    for behave in (silent, dripping):
        began = time.monotonic()
        error = outcome(behave, timeout=0.5)
        assert isinstance(error, EndpointError) and error.code == "endpoint_timeout" and error.passing
        assert time.monotonic() - began < 30


def test_a_connection_that_breaks_or_is_refused_is_unreachable():
    def broken(handler, request, nth):
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    assert outcome(broken).code == "endpoint_unreachable"
    with pytest.raises(EndpointError) as caught:
        Client("http://127.0.0.1:9/v1", "", 2).complete(REQUEST)
    assert caught.value.code == "endpoint_unreachable" and caught.value.passing


def test_an_answer_without_end_is_cut_off(monkeypatch):
    monkeypatch.setattr(endpoint, "MAX_BYTES", 100_000)
    error = outcome(as_json(completion("x" * 200_000)))
    assert isinstance(error, EndpointError) and (error.code, error.passing) == ("endpoint_too_large", False)


def test_a_stream_times_its_first_token_and_its_end():
    found = outcome(lambda handler, request, nth: handler.stream("one two three", pause=0.5), ask="stream")
    assert (found.text, found.finish.reason, found.output_tokens) == ("one two three ", "stop", 3)
    assert 0.48 < found.first_seconds < found.seconds - 0.1 and found.seconds > 1.48


@pytest.mark.parametrize(
    ("behave", "code"),
    [
        (as_json({"error": "overloaded"}), "endpoint_error"),
        (raw(b'data: {"error": {"message": "died"}}\n\n'), "endpoint_error"),
        (raw(b'data: {"choices": [{"delta": {"content": "Ha"}}]}\n\n'), "endpoint_cut"),
        (raw(b'data: {"choices": [{"delta": {}, "finish_reason": "abort"}]}\n\n'), "endpoint_unfinished"),
        (raw(b'{"error": "overloaded"}\n'), "endpoint_error"),
        (raw(b'data: {"choices": [{"delta": {"content": "Ha"}}]}\n\nda'), "endpoint_malformed"),
        (raw(b"data: {oops}\n\n"), "endpoint_malformed"),
    ],
)
def test_a_stream_that_breaks_is_no_response(behave, code):
    error = outcome(behave, ask="stream")
    assert isinstance(error, EndpointError) and error.code == code


def test_the_key_goes_with_every_request():
    with serving() as server:
        Client(server.url, "secret", 60).complete(REQUEST)
        assert server.asked[0][1]["Authorization"] == "Bearer secret"
