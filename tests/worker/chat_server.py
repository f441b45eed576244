"""A real HTTP server that speaks the chat protocol, well or as badly as a test wants.

`behave(request, nth)` decides about the nth request (from 1) that asks the same thing: it returns a text, or does what
it likes with the handler and returns None.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODELS = ["base-served", "tuned-served"]


class Handler(BaseHTTPRequestHandler):
    server: "Server"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.server.down:
            return self.reply(503, b"down")
        return self.server.listing(self)

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.asked.append((request, dict(self.headers)))
            identity = json.dumps([request["model"], request["messages"], request.get("stream")])
            self.server.times[identity] += 1
            nth = self.server.times[identity]
        text = self.server.behave(self, request, nth)
        if text is None:
            return None
        return self.stream(text) if request.get("stream") else self.reply_json(completion(text))

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def reply_json(self, body: Any) -> None:
        self.reply(200, json.dumps(body).encode())

    def stream(self, text: str, pause: float = 0.02) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for word in text.split(" "):
            time.sleep(pause)
            self.event({"choices": [{"delta": {"content": word + " "}, "finish_reason": None}]})
        self.event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        self.event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": len(text.split(" "))}})
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def event(self, body: Any) -> None:
        self.wfile.write(b"data: " + json.dumps(body).encode() + b"\n\n")
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def listed(handler: Handler) -> None:
    """The list of models, as OpenAI has it."""
    handler.reply_json({"object": "list", "data": [{"id": name} for name in MODELS]})


Behaviour = Callable[[Handler, dict[str, Any], int], str | None]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behave: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behave, self.down = behave, False
        self.listing: Callable[[Handler], None] = listed
        self.lock = threading.Lock()
        self.asked: list[tuple[dict[str, Any], dict[str, str]]] = []
        self.times: Counter[str] = Counter()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


def completion(text: Any, finish: Any = "stop", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    usage = {"prompt_tokens": 7, "completion_tokens": len(str(text or "").split(" "))}
    return {"choices": [choice], "usage": usage} | more


def echo(handler: Handler, request: dict[str, Any], nth: int) -> str:
    """An honest answer that says who was asked what."""
    return f"{request['model']} on {request['messages'][-1]['content']}"


def late(handler: Handler, request: dict[str, Any], nth: int) -> str:
    """The same, a second later."""
    time.sleep(1)
    return echo(handler, request, nth)


@contextmanager
def serving(behave: Behaviour = echo) -> Iterator[Server]:
    server = Server(behave)
    # Asked every half second whether to stop, the server would cost half a second a test.
    thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
