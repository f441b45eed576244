"""Measure the speed of the review and check its rules under load.

Reviewers run in a closed loop (next → submit) against the real server, on SQLite and on PostgreSQL, both durable. Then:
a thousand reviewers with pauses, `next` on growing campaigns, the export of 20,000 rated pairs, and the size of the
review screen. After each measurement, R1 to R6 are checked by SQL; a broken rule fails the run.

    python -m benchmarks.review --database postgresql
    python -m benchmarks.review --quick
"""

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.reviewing import load
from benchmarks.reviewing.site import Site, environment, serving

OVERLAP = 3
# Label Studio 1.23.2 with the same cycle on 2 cores: cycles a second at 1, 8, 32 and 100 reviewers.
LABEL_STUDIO = {
    "postgresql": {1: 4.6, 8: 8.2, 32: 8.2, 100: 6.7},
    "sqlite": {1: 4.9, 8: 4.4, 32: 2.0, 100: 0.2},
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--database", choices=["sqlite", "postgresql"], help="one of the two (default both)")
    parser.add_argument(
        "--quick", action="store_true", help="seconds instead of minutes, and no more than 10,000 rows"
    )
    parser.add_argument("--only", choices=["levels", "thinkers", "growth", "export", "weight"])
    parser.add_argument("--out", type=Path, default=Path("var/bench/review.json"))
    given = parser.parse_args()
    if given.database:
        result = measure(given.database, quick=given.quick, only=given.only)
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(result, indent=2))
        sys.exit(1 if result["broken"] else 0)
    sys.exit(_both(given))


def _both(given: argparse.Namespace) -> int:
    """Run each database in a separate process, because settings are read only once."""
    results, status = {}, 0
    for database in ("sqlite", "postgresql"):
        with tempfile.NamedTemporaryFile(suffix=".json") as part:
            command = [sys.executable, "-m", "benchmarks.review", "--database", database, "--out", part.name]
            command += ["--quick"] * given.quick + (["--only", given.only] if given.only else [])
            status |= subprocess.run(command).returncode
            results[database] = json.loads(Path(part.name).read_text() or "{}")
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(results, indent=2))
    return status


def measure(database: str, *, quick: bool, only: str | None = None) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="ftplatform-bench-") as name, environment(Path(name), database):
        import django

        django.setup()
        with serving(Path(name)) as site:
            print(
                f"{database}, {os.environ['WEB_CONCURRENCY']} web processes, {os.cpu_count()} cores",
                flush=True,
            )
            parts = {"weight": _weight, "export": _export, "levels": _levels, "thinkers": _thinkers}
            parts["growth"] = _growth
            result: dict[str, Any] = {"machine": platform.platform(), "cores": os.cpu_count(), "broken": {}}
            for part, work in parts.items():
                if only in (None, part):
                    result[part] = work(site, database, quick, result["broken"])
            return result


def _levels(site: Site, database: str, quick: bool, broken: dict[str, int]) -> list[dict[str, Any]]:
    """Measure without pauses, both as the review screen and as a program that requests each pair."""
    from benchmarks.reviewing import campaigns

    user = campaigns.owner()
    pairs = 600 if quick else 4000
    run = campaigns.run(user, pairs)
    rows = []
    for page, reviewers in itertools.product((True, False), (1, 8, 32, 100)):
        campaign = campaigns.opened(user, run, pairs=pairs, overlap=OVERLAP)
        tokens = campaigns.reviewers(campaign, reviewers)
        row = _loaded(
            site, campaign, tokens, broken, seconds=3 if quick else 12, habits=load.Habits(page=page)
        )
        rows.append(
            row
            | {
                "path": "page" if page else "api",
                "label_studio_cycles": LABEL_STUDIO[database][reviewers],
            }
        )
        _print_level(rows[-1])
    return rows


def _loaded(
    site: Site,
    campaign: Any,
    tokens: list[str],
    broken: dict[str, int],
    *,
    seconds: float,
    habits: load.Habits,
) -> dict[str, Any]:
    """Run one crowd; returns its figures and the result of the rule checks."""
    begun, web, database = time.perf_counter(), site.cpu_seconds(), site.database_cpu_seconds()
    log = load.crowd(site.port, str(campaign.pk), tokens, seconds=seconds, habits=habits)
    took = time.perf_counter() - begun
    cpu = {
        "web": site.cpu_seconds() - web,
        "database": site.database_cpu_seconds() - database,
        "clients": log.own_cpu_seconds,
    }
    _judge(campaign, log, broken)
    cycles = len(log.cycles_at)
    return {
        "reviewers": len(tokens),
        "cycles": cycles,
        "cycles_per_second": round(cycles / took, 1),
        "next_ms": _percentiles(log.next_seconds),
        "submit_ms": _percentiles(log.submit_seconds),
        "cpu_ms_per_cycle": {
            who: round(1000 * used / cycles, 2) if cycles else None for who, used in cpu.items()
        },
        "refused": log.refused,
    }


def _percentiles(seconds: list[float]) -> dict[str, float]:
    cut = statistics.quantiles(seconds, n=100) if len(seconds) > 1 else [float("nan")] * 99
    return {f"p{at}": round(1000 * cut[at - 1], 1) for at in (50, 95, 99)}


def _judge(campaign: Any, log: load.Log, broken: dict[str, int]) -> None:
    from benchmarks.reviewing import rules

    for rule, count in rules.broken(campaign, log.acknowledged).items():
        if count:
            broken[rule] = broken.get(rule, 0) + count
            print(f"  BROKEN: {rule}: {count}", flush=True)
    if log.server_errors:
        broken["no answer or a server error"] = (
            broken.get("no answer or a server error", 0) + log.server_errors
        )


def _print_level(row: dict[str, Any]) -> None:
    cpu = row["cpu_ms_per_cycle"]
    print(
        f"  {row.get('path', ''):4} {row['reviewers']:>4} reviewers {row['cycles_per_second']:>7.1f} cycles/s"
        f"  next p50/95/99 {row['next_ms']['p50']:.0f}/{row['next_ms']['p95']:.0f}/{row['next_ms']['p99']:.0f} ms"
        f"  submit {row['submit_ms']['p50']:.0f}/{row['submit_ms']['p95']:.0f}/{row['submit_ms']['p99']:.0f} ms"
        f"  CPU a cycle: web {cpu['web']}, database {cpu['database']}, clients {cpu['clients']} ms"
        f"  (Label Studio: {row.get('label_studio_cycles', '–')} cycles/s)  {row['refused'] or ''}",
        flush=True,
    )


def _thinkers(site: Site, database: str, quick: bool, broken: dict[str, int]) -> list[dict[str, Any]]:
    """Measure many people who read before they answer, in seconds instead of minutes. A thousand of them use
    connections that time out."""
    from benchmarks.reviewing import campaigns

    rows = []
    for people, think in ((100, (0.5, 1.5)), (100 if quick else 1000, (4, 16))):
        user = campaigns.owner()
        campaign = campaigns.opened(user, campaigns.run(user, 2000), pairs=2000, overlap=OVERLAP)
        tokens = campaigns.reviewers(campaign, people)
        habits = load.Habits(page=True, think=think)
        row = _loaded(site, campaign, tokens, broken, seconds=8 if quick else 30, habits=habits)
        rows.append(row | {"path": "page", "think_seconds": think})
        _print_level(rows[-1])
    return rows


def _growth(site: Site, database: str, quick: bool, broken: dict[str, int]) -> list[dict[str, Any]]:
    """Measure `next` with one client on a campaign with this many ratings, for new and for returning reviewers."""
    from benchmarks.reviewing import campaigns

    user = campaigns.owner()
    campaign = campaigns.opened(user, campaigns.run(user, 2000), pairs=2000, overlap=10)
    rows = []
    old = campaigns.reviewers(campaign, 1000)
    for size in (1000, 10_000) if quick else (1000, 10_000, 100_000, 1_000_000):
        campaigns.grow(campaign, rated=size)
        row: dict[str, Any] = {"ratings": size}
        for who, tokens in {"new": campaigns.reviewers(campaign, 150), "old": old[:150]}.items():
            log, begun = load.Log(), site.cpu_seconds() + site.database_cpu_seconds()
            for token in tokens:
                one = load.crowd(site.port, str(campaign.pk), [token], seconds=5, habits=load.Habits(most=1))
                log.next_seconds += one.next_seconds
                log.submit_seconds += one.submit_seconds
            used = site.cpu_seconds() + site.database_cpu_seconds() - begun
            row |= {
                f"{who}_cpu_ms_per_cycle": round(1000 * used / len(tokens), 2),
                f"{who}_next_ms": _percentiles(log.next_seconds),
                f"{who}_submit_ms": _percentiles(log.submit_seconds),
            }
        old = old[150:]
        rows.append(row)
        print(
            f"  {size:>9,} ratings: next p50 {row['new_next_ms']['p50']} ms for newcomers,"
            f" {row['old_next_ms']['p50']} ms for old hands; submit {row['new_submit_ms']['p50']} and"
            f" {row['old_submit_ms']['p50']} ms; CPU a cycle, web and database: {row['new_cpu_ms_per_cycle']} and"
            f" {row['old_cpu_ms_per_cycle']} ms",
            flush=True,
        )
    return rows


def _export(site: Site, database: str, quick: bool, broken: dict[str, int]) -> list[dict[str, Any]]:
    """Download every rating as a table over HTTP: seconds, bytes, and the growth of the server's memory."""
    from benchmarks.reviewing import campaigns, downloads

    user = campaigns.owner()
    pairs = 1000 if quick else 20_000
    campaign = campaigns.opened(user, campaigns.run(user, 4), pairs=4, overlap=2)
    campaigns.grow(campaign, rated=2 * pairs)
    key = downloads.token(user)
    rows = []
    for kind in ("csv", "parquet"):
        rows.append({"kind": kind, "pairs": pairs, **downloads.export(site, str(campaign.pk), key, kind)})
        if rows[-1]["rows"] != 2 * pairs:
            broken["an export lacks ratings"] = broken.get("an export lacks ratings", 0) + 1
        print(
            f"  export of {pairs:,} rated pairs ({rows[-1]['rows']:,} ratings) as {kind}: {rows[-1]['seconds']} s,"
            f" {rows[-1]['bytes'] / 1e6:.1f} MB, memory grew by {rows[-1]['grew_mb']} MB (Label Studio: 45-80 s, up to"
            " 1,800 MB)",
            flush=True,
        )
    return rows


def _weight(site: Site, database: str, quick: bool, broken: dict[str, int]) -> dict[str, int]:
    from benchmarks.reviewing import campaigns, weight

    user = campaigns.owner()
    campaign = campaigns.opened(user, campaigns.run(user, 4), pairs=4, overlap=1)
    page = weight.of_review_screen(site.port, str(campaign.pk), campaigns.reviewers(campaign, 1)[0])
    print(
        f"  review screen: {page['requests']} requests, {page['bytes'] / 1000:.1f} kB (Label Studio: 33, 2,200 kB)"
    )
    return page


if __name__ == "__main__":
    main()
