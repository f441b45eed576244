"""Reviewers use a real site while its web processes are killed repeatedly with SIGKILL.

On PostgreSQL, database processes are killed too. This runs in a process of its own because settings are read once:

    python -m tests.faults.killed_site sqlite 4

Prints the clients' acknowledged answers and the rules that the database breaks afterwards, as one line of JSON.
"""

import asyncio
import json
import random
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from benchmarks.reviewing import load
from benchmarks.reviewing.site import Site, environment, serving
from tests import services

PAIRS, OVERLAP, REVIEWERS = 1500, 2, 8


async def _review(
    client: load.Client, campaign: str, told: dict[str, tuple[bool, str]], done: threading.Event
) -> None:
    """One reviewer who retries forever. Only requests that the server answered with 200 count as acknowledged."""
    while not done.is_set():
        status, pair = await client.request("POST", f"/api/v1/campaigns/{campaign}/assignments/next", {})
        if status != 200:
            await asyncio.sleep(0.1)
            continue
        rating = {"preference": random.choice(load.PREFERENCES), "scores": load.SCORES, "answers": {}}
        address = f"/api/v1/assignments/{pair['token']}/rating"
        status, stored = await client.request("PUT", address, rating | {"comment": "", "active_ms": 20_000})
        if status == 200:
            told[pair["token"]] = pair["left"]["text"].startswith(load.CANDIDATE), stored["preference"]
    client.close()


def _crowd(port: int, campaign: str, tokens: list[str], done: threading.Event) -> dict[str, tuple[bool, str]]:
    told: dict[str, tuple[bool, str]] = {}

    async def everybody() -> None:
        clients = [load.Client(port, token) for token in tokens]
        await asyncio.gather(*(_review(one, campaign, told, done) for one in clients))

    asyncio.run(everybody())
    return told


def _kill(site: Site, database: str, times: int, kills: list[str], done: threading.Event) -> None:
    """Kill a web process every second, which its master replaces. Every third kill is a process of PostgreSQL, which
    then drops every connection and recovers from its log. The reviewers stop a second after the last kill."""
    last = time.monotonic() + 900
    while len(kills) < times and time.monotonic() < last:
        time.sleep(1)
        kind = database if database == "postgresql" and len(kills) % 3 == 2 else "web"
        with suppress(psutil.Error, IndexError):  # it has already exited, or none is running at this moment
            random.choice(_backends() if kind == database else _workers(site)).kill()
            kills.append(kind)
    time.sleep(1)
    done.set()


def _workers(site: Site) -> list[psutil.Process]:
    """The web processes without their master."""
    ours = site.processes()
    return [one for one in ours if len(ours) > 1 and not one.children()]


def _backends() -> list[psutil.Process]:
    """PostgreSQL processes that serve a client, recognised by their process titles."""
    children = psutil.Process().children(recursive=True)
    return [one for one in children if "[local]" in " ".join(one.cmdline())]


def _database_answers() -> bool:
    from django.db import Error, connection

    try:
        connection.close()  # the connection may have been dropped, too
        connection.ensure_connection()
    except Error:
        return False
    return True


def main(database: str, times: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="ftplatform-killed-") as name, environment(Path(name), database):
        import django

        django.setup()
        from benchmarks.reviewing import campaigns, rules
        from evaluation.models import Rating

        with serving(Path(name)) as site:
            user = campaigns.owner()
            run = campaigns.run(user, PAIRS)
            campaign = campaigns.opened(user, run, pairs=PAIRS, overlap=OVERLAP)
            tokens = campaigns.reviewers(campaign, REVIEWERS)
            kills: list[str] = []
            done = threading.Event()
            killer = threading.Thread(target=_kill, args=(site, database, times, kills, done))
            killer.start()
            told = _crowd(site.port, str(campaign.pk), tokens, done)
            killer.join()
            services.wait_until(_database_answers, what="the end of the recovery")
            broken = rules.broken(campaign, told)
            token = next(iter(told))
            Rating.objects.filter(assignment__token=token).delete()
            control = {rule: count for rule, count in rules.broken(campaign, told).items() if count}
            stored = Rating.objects.filter(campaign=campaign).count() + 1
    return {"kills": kills, "told": len(told), "stored": stored, "broken": broken, "control": control}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]))))
