"""Size of the review screen: requests and bytes transferred, with the compression that browsers request."""

import gzip
import http.client
import re
from urllib.parse import urljoin

LINKS = re.compile(r'<(?:script|link)[^>]+(?:src|href)="([^"]+)"')
IMPORTS = re.compile(r'(?:from|import)\s*"(\./[^"]+|/[^"]+)"')


def of_review_screen(port: int, campaign: str, token: str) -> dict[str, int]:
    """{requests, bytes} of the page with all styles, scripts and imported modules, without the pair itself."""
    page, total = _get(port, f"/review/{campaign}/", f"reviewer-{campaign.replace('-', '')}={token}")
    waiting = LINKS.findall(page)
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        text, size = _get(port, path)
        total += size
        if path.endswith(".js"):
            waiting += [urljoin(path, address) for address in IMPORTS.findall(text)]
    return {"requests": 1 + len(seen), "bytes": total}


def _get(port: int, path: str, cookie: str = "") -> tuple[str, int]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Accept-Encoding": "gzip", "Cookie": cookie})
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == 200, f"{path} answered {answer.status}"
    zipped = answer.headers.get("Content-Encoding") == "gzip"
    text = (gzip.decompress(content) if zipped else content).decode(errors="replace")
    return text, len(str(answer.headers)) + 17 + len(content)
