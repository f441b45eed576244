"""Reviewers in a closed loop, each with its own connection: next → submit → next, with or without pauses."""

import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any

CANDIDATE = "Tuned reply."  # prefix of one side's generated texts, by which a client recognises the side
SCORES = {
    name: {"left": 7, "right": 5} for name in ("empathy", "helpfulness", "professionalism", "satisfaction")
}
PREFERENCES = ("left", "right", "tie", "both_bad")


@dataclass
class Log:
    """Observations of the clients: seconds per request, acknowledged ratings, and every unsuccessful response."""

    next_seconds: list[float] = field(default_factory=list)
    submit_seconds: list[float] = field(default_factory=list)
    cycles_at: list[float] = field(default_factory=list)
    acknowledged: dict[str, tuple[bool, str]] = field(
        default_factory=dict
    )  # token → candidate left?, preference
    refused: dict[str, int] = field(default_factory=dict)
    own_cpu_seconds: float = 0.0  # processor time of the clients themselves

    def refuse(self, status: int, body: dict[str, Any]) -> None:
        name = f"{status} {body.get('code', '')}".strip()
        self.refused[name] = self.refused.get(name, 0) + 1

    @property
    def server_errors(self) -> int:
        return sum(count for name, count in self.refused.items() if name[0] in "50")


class Client:
    """A minimal HTTP/1.1 client, so that the loop uses as little of the machine as possible."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._head = (
            f"Host: 127.0.0.1\r\nAuthorization: Reviewer {token}\r\nContent-Type: application/json\r\n"
        )
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def request(self, method: str, path: str, content: Any) -> tuple[int, dict[str, Any]]:
        """Status and body; status 0 without a response. Reconnects once if the server has closed the connection."""
        body = json.dumps(content).encode()
        head = f"{method} {path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n".encode()
        for _ in range(2):
            try:
                if self._writer is None:
                    self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
                self._writer.write(head + body)
                return await self._answer()
            except (OSError, asyncio.IncompleteReadError):
                self.close()
        return 0, {}

    async def _answer(self) -> tuple[int, dict[str, Any]]:
        assert self._reader
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status = int(head[9:12])
        _, header, rest = head.partition("content-length:")
        length = int(rest.split("\r\n", 1)[0]) if header else 0
        body = await self._reader.readexactly(length) if length else b"{}"
        if "connection: close" in head:
            self.close()
        return status, json.loads(body)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


@dataclass(frozen=True)
class Habits:
    """How clients behave. `page`: like the review screen, where a submit returns the pair after the prefetched one,
    so that each pair takes one request. Otherwise like a program: `next`, then submit."""

    page: bool = False
    think: tuple[float, float] = (0, 0)
    most: int = 10**9


async def review(client: Client, campaign: str, log: Log, *, until: float, habits: Habits) -> None:
    """One reviewer until time is up, no pairs are left, or `habits.most` ratings are done."""
    if habits.think[1]:
        await asyncio.sleep(random.uniform(0, habits.think[1]))
    rated, pair, ahead = 0, None, None
    while time.perf_counter() < until and rated < habits.most:
        if pair is None:
            pair = await _next(client, campaign, log)
            if pair is None:
                break
            if habits.page:
                ahead = await _next(client, campaign, log, after=pair["token"])
        if habits.think[1]:
            await asyncio.sleep(random.uniform(*habits.think))
        query = "?next=1" + (f"&after={ahead['token']}" if ahead else "") if habits.page else ""
        following = await _submit(client, pair, log, query)
        pair, ahead = (ahead, following) if ahead else (following, None)
        rated += 1
    client.close()


async def _next(client: Client, campaign: str, log: Log, after: str = "") -> dict[str, Any] | None:
    query = f"?after={after}" if after else ""
    begun = time.perf_counter()
    status, pair = await client.request("POST", f"/api/v1/campaigns/{campaign}/assignments/next{query}", {})
    log.next_seconds.append(time.perf_counter() - begun)
    if status == 200:
        return pair
    if status != 204:
        log.refuse(status, pair)
    return None


async def _submit(client: Client, pair: dict[str, Any], log: Log, query: str) -> dict[str, Any] | None:
    """Rate a pair. Returns the pair that came with the response."""
    preference = random.choice(PREFERENCES)
    rating = {"preference": preference, "scores": SCORES, "answers": {}, "comment": "", "active_ms": 20_000}
    begun = time.perf_counter()
    status, body = await client.request("PUT", f"/api/v1/assignments/{pair['token']}/rating{query}", rating)
    log.submit_seconds.append(time.perf_counter() - begun)
    if status != 200:
        log.refuse(status, body)
        return None
    log.cycles_at.append(time.perf_counter())
    log.acknowledged[pair["token"]] = pair["left"]["text"].startswith(CANDIDATE), preference
    following: dict[str, Any] | None = body.get("next")
    return following


def crowd(
    port: int, campaign: str, tokens: list[str], *, seconds: float, habits: Habits | None = None
) -> Log:
    """Run all reviewers at once for this many seconds."""
    log, how = Log(), habits or Habits()

    async def everybody() -> None:
        until = time.perf_counter() + seconds
        clients = [Client(port, token) for token in tokens]
        await asyncio.gather(*(review(one, campaign, log, until=until, habits=how) for one in clients))

    begun = time.process_time()
    asyncio.run(everybody())
    log.own_cpu_seconds = time.process_time() - begun
    return log
