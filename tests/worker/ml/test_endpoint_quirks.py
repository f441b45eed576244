"""Servers that speak the protocol in their own way, each answered by a real one: what is complete is kept."""

import gzip
import json
import time
from email.utils import formatdate

import pytest

from tests.worker.chat_server import completion, serving
from worker.ml import endpoint
from worker.ml.completions import EndpointError
from worker.ml.endpoint import Client

REQUEST = {"model": "base-served", "messages": [{"role": "user", "content": "Which colour?"}]}
ANSWER = '{"colour": "red"}'


def ask(behave, how="complete"):
    with serving(behave) as server:
        return getattr(Client(server.url, "", 60), how)(REQUEST)


def refusal(behave, how="complete"):
    with pytest.raises(EndpointError) as caught:
        ask(behave, how)
    return caught.value


def as_json(body):
    return lambda handler, request, nth: handler.reply_json(body)


def raw(body, status=200, **headers):
    return lambda handler, request, nth: handler.reply(status, body, **headers)


def events(*bodies, line_end="\n\n", start="data: ", end="data: [DONE]\n\n"):
    """A stream of these events, each written in the way of the server."""
    return raw(("".join(f"{start}{json.dumps(body)}{line_end}" for body in bodies) + end).encode())


def piece(text):
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}


PIECES = piece(ANSWER[:9]), piece(ANSWER[9:])
STOP = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USAGE = {"prompt_tokens": 11, "completion_tokens": 7}
COUNTED = {"choices": [], "usage": USAGE}


# --- Lists of models ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "listed",
    [{"object": "list", "data": [{"id": "a"}, {"id": "b"}]}, [{"id": "a"}, {"id": "b"}], ["a", "b"]],
    ids=["object", "array", "array of names"],
)
def test_the_list_of_models_may_be_an_array(listed):
    with serving() as server:
        server.listing = lambda handler: handler.reply_json(listed)
        assert Client(server.url, "", 60).models() == ["a", "b"]


# --- Texts and ends -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        *(("stop", "stop"), ("eos", "stop"), ("end", "stop"), ("end_turn", "stop"), ("STOP", "stop")),
        *(("length", "length"), ("max_tokens", "length"), ("content_filter", "filter")),
        *(("", "unknown"), (None, "unknown"), ("model_tired", "unknown"), (7, "unknown")),
    ],
)
def test_the_text_is_kept_with_the_servers_word_for_the_end(word, reason):
    found = ask(as_json(completion(ANSWER, word)))
    assert (found.text, found.finish.reason) == (ANSWER, reason)
    assert found.finish.word == ("" if word is None else str(word))


def test_a_completion_without_any_reason_is_kept():
    body = completion(ANSWER)
    del body["choices"][0]["finish_reason"]
    assert ask(as_json(body)).text == ANSWER


@pytest.mark.parametrize("word", ["error", "abort", "Cancelled"])
def test_a_reason_that_says_that_it_failed_is_no_end(word):
    error = refusal(as_json(completion("Half a se", word)))
    assert (error.code, error.passing) == ("endpoint_unfinished", True)


def test_text_may_come_in_parts():
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Blue? No."}]},
        {"type": "text", "text": ANSWER[:9]},
        {"type": "text", "text": ANSWER[9:]},
    ]
    assert ask(as_json(completion(parts))).text == ANSWER
    assert ask(events(piece(parts), STOP), "stream").text == ANSWER


@pytest.mark.parametrize(
    "part",
    [{"type": "image_url", "image_url": {"url": "x"}}, 7, {"type": "text"}],
    ids=["image", "7", "empty"],
)
def test_a_part_that_is_no_text_is_named(part):
    error = refusal(as_json(completion([{"type": "text", "text": "See:"}, part])))
    assert (error.code, error.passing) == ("endpoint_no_text", False)


def test_thoughts_stay_in_the_text_and_out_of_it_in_a_field_of_their_own():
    thought = "<think>Blue? No.</think>\n" + ANSWER
    assert ask(as_json(completion(thought))).text == thought
    body = completion(ANSWER)
    body["choices"][0]["message"]["reasoning_content"] = "Blue? No."
    assert ask(as_json(body)).text == ANSWER


def test_calls_of_tools_are_an_answer():
    calls = [{"id": "c1", "type": "function", "function": {"name": "lookup", "arguments": '{"id": 7}'}}]
    body = completion(None, "tool_calls")
    body["choices"][0]["message"]["tool_calls"] = calls
    found = ask(as_json(body))
    assert json.loads(found.text) == {"content": "", "tool_calls": calls}
    assert (found.finish.reason, found.finish.word) == ("stop", "tool_calls")


# --- gzip ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{"Content_Encoding": "gzip"}, {}], ids=["named", "not named"])
def test_gzip_that_nobody_asked_for_is_unpacked(headers):
    body = gzip.compress(json.dumps(completion(ANSWER)).encode())
    assert ask(raw(body, **headers)).text == ANSWER
    stream = "".join(f"data: {json.dumps(body)}\n\n" for body in (*PIECES, STOP)).encode()
    assert ask(raw(gzip.compress(stream), **headers), "stream").text == ANSWER
    assert "slow down" in str(refusal(raw(gzip.compress(b"slow down"), 429, **headers)))


def test_a_bomb_is_stopped_at_the_limit(monkeypatch):
    monkeypatch.setattr(endpoint, "MAX_BYTES", 1_000_000)
    error = refusal(raw(gzip.compress(b" " * 50_000_000)))
    assert (error.code, error.passing) == ("endpoint_too_large", False)


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: data[:30] + b"\0" * 200])
def test_damaged_gzip_is_no_response(damage):
    body = gzip.compress(json.dumps(completion(ANSWER)).encode())
    assert refusal(raw(damage(body))).code == "endpoint_malformed"


# --- Streams ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "behave",
    [
        events(*PIECES, STOP, COUNTED),
        events(*PIECES, {"choices": [{"index": 0, "finish_reason": "stop"}]}, COUNTED),
        events(*PIECES, {"choices": [{"index": 0, "delta": None, "finish_reason": "stop"}]}, COUNTED),
        events(*PIECES, STOP, {"choices": None, "usage": USAGE}),
        events(*PIECES, STOP, {"object": "usage", "usage": USAGE}),
        events(PIECES[0], None, PIECES[1], STOP, COUNTED),
        events(*PIECES, STOP, COUNTED, end="data: [DONE]"),
        events(*PIECES, STOP, COUNTED, end=""),
        events(piece(None), piece(""), *PIECES, STOP, COUNTED),
        events(
            *({**each, "usage": None} for each in (*PIECES, STOP)),
            COUNTED,
            start=": ping\r\n\r\nid: 1\r\nretry: 9\r\nevent: message\r\ndata:",
            line_end="\r\n\r\n",
        ),
    ],
    ids=[
        *("plain", "no delta", "null delta", "null choices", "no choices", "data: null", "no last newline"),
        *("no [DONE]", "null content", "loose"),
    ],
)
def test_a_stream_is_read_however_it_is_written(behave):
    found = ask(behave, "stream")
    assert (found.text, found.finish.reason) == (ANSWER, "stop")
    assert (found.input_tokens, found.output_tokens) == (11, 7)
    assert found.first_seconds is not None and 0 < found.first_seconds <= found.seconds


def test_a_stream_that_says_it_is_done_needs_no_reason():
    found = ask(events(*PIECES), "stream")
    assert (found.text, found.finish.reason, found.finish.word) == (ANSWER, "unknown", "")


def test_a_stream_without_text_has_no_first_token():
    assert ask(events(STOP, COUNTED), "stream").first_seconds is None
    assert ask(as_json(completion(ANSWER)), "stream").first_seconds is None


def test_a_call_of_a_tool_is_a_first_token():
    call = {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"name": "lookup"}}]}}]}
    assert ask(events(call, STOP), "stream").first_seconds is not None


def test_a_long_line_in_small_blocks_takes_linear_time():
    text = "x" * 20_000_000
    began = time.monotonic()
    assert ask(events(piece(text), STOP), "stream").text == text
    assert time.monotonic() - began < 20


# --- Retry-After --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "low", "high"),
    [
        ("7", 7, 7),
        (lambda: formatdate(time.time() + 40, usegmt=True), 30, 40),
        (lambda: formatdate(time.time() - 40, usegmt=True), 0, 0),
        ("soon", 0, 0),
        ("-3", 0, 0),
        ("Sat, 99 Nov 2026 99:99:99 GMT", 0, 0),
    ],
    ids=["seconds", "date", "past date", "words", "negative", "no date"],
)
def test_a_wait_may_be_asked_for_in_seconds_or_as_a_date(asked, low, high):
    error = refusal(raw(b"slow down", 429, Retry_After=asked() if callable(asked) else asked))
    assert error.passing and low <= error.wait <= high
