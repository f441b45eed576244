"""Download every rating of a campaign while observing the server's memory."""

import io
import threading
import time
import urllib.request
from typing import Any

import pyarrow.parquet as pq

from benchmarks.reviewing.site import Site
from ftplatform.accounts import services
from ftplatform.accounts.models import ApiToken, User


def token(user: User) -> str:
    _, key = services.issue_token(user=user, name="benchmark", scopes=list(ApiToken.Scope.values), days=1)
    return key


def export(site: Site, campaign: str, key: str, kind: str) -> dict[str, Any]:
    """{seconds, bytes, rows, grew_mb} of one download, after warm-up downloads that load the code in every process."""
    for _ in range(4):
        _fetch(site, campaign, key, kind)
    before = highest = site.memory()
    over = threading.Event()

    def watch() -> None:
        nonlocal highest
        while not over.wait(0.02):
            highest = max(highest, site.memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun = time.perf_counter()
    content = _fetch(site, campaign, key, kind)
    seconds = time.perf_counter() - begun
    over.set()
    watcher.join()
    return {
        "seconds": round(seconds, 2),
        "bytes": len(content),
        "rows": _rows(content, kind),
        "grew_mb": round((highest - before) / 1e6, 1),
    }


def _fetch(site: Site, campaign: str, key: str, kind: str) -> bytes:
    address = f"http://127.0.0.1:{site.port}/api/v1/campaigns/{campaign}/export/?kind={kind}"
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
        return bytes(answer.read())


def _rows(content: bytes, kind: str) -> int:
    """Ratings in the table. Generated ratings contain no line breaks."""
    if kind == "csv":
        return content.count(b"\n") - 1
    return int(pq.read_metadata(io.BytesIO(content)).num_rows)
