"""A hub on this machine: it serves one folder as one repository at one commit, as huggingface_hub asks for it."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

REPOSITORY = "acme/tiny"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    folder: ClassVar[Path]
    fetched: ClassVar[list[str]]

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/api/models/"):
            self._repository(path.removeprefix("/api/models/"))
            return
        name = path.removeprefix(f"/{REPOSITORY}/resolve/{COMMIT}/")
        file = self.folder / name
        if name == path or not file.is_file():
            self._missing("EntryNotFound")
            return
        content = file.read_bytes()
        if body:
            self.fetched.append(name)
        self._send(content if body else b"", len(content), hashlib.sha256(content).hexdigest())

    def _repository(self, asked: str) -> None:
        if not asked.startswith(REPOSITORY):
            self._missing("RepoNotFound")
        elif not asked.endswith(COMMIT):
            self._missing("RevisionNotFound")
        else:
            files = sorted(file for file in self.folder.iterdir() if file.is_file())
            tree = [
                {"type": "file", "path": f.name, "size": f.stat().st_size, "oid": "0" * 40} for f in files
            ]
            about = {"id": REPOSITORY, "sha": COMMIT, "siblings": [{"rfilename": f.name} for f in files]}
            content = json.dumps(tree if "/tree/" in asked else about).encode()
            self._send(content, len(content), "x")

    def _send(self, content: bytes, length: int, etag: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.send_header("ETag", f'"{etag}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        self.wfile.write(content)

    def _missing(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yields the hub's address and the list of files that were fetched so far."""
    fetched: list[str] = []
    handler = type("Serving", (Hub,), {"folder": folder, "fetched": fetched})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", fetched
    finally:
        server.shutdown()
        server.server_close()
