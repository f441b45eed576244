"""The commands that start the web server and the workers, the same on a laptop and in a container.

`docker-compose.yml` repeats them, and a test keeps the two equal.
"""

import sys

from ftplatform import queues


def web(bind: str, *, python: str = sys.executable) -> list[str]:
    """Gunicorn with threads. `WEB_CONCURRENCY` sets the number of processes (default: one)."""
    options = [
        "--worker-class",
        "gthread",
        "--threads",
        "8",
        "--graceful-timeout",
        "5",
        "--no-control-socket",
    ]
    return [python, "-m", "gunicorn", "ftplatform.wsgi", "--bind", bind, *options]


def worker(queue: str, *, beat: bool = False, name: str = "", python: str = sys.executable) -> list[str]:
    """A Celery node for `queue`; one node of an installation runs the beat.

    Only one job runs at a time. On the CPU queue the other slots are for the recovery task and for mail.
    """
    slots = "3" if queue == queues.CPU else "1"
    options = ["--concurrency", slots, "--prefetch-multiplier", "1", "--without-gossip", "--without-mingle"]
    node = ["--hostname", f"{name or queue}@%h", "--loglevel", "INFO"]
    ticking = ["--beat"] if beat else []
    return [
        python,
        "-m",
        "celery",
        "-A",
        "ftplatform.celery",
        "worker",
        "--queues",
        queue,
        *options,
        *node,
        *ticking,
    ]
