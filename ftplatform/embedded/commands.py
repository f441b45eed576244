"""The entry commands of the web server and the workers: the same on a laptop and in a container.

`docker-compose.yml` spells them out, and a test holds the two together.
"""

import sys


def web(bind: str, *, python: str = sys.executable) -> list[str]:
    """Gunicorn with threads; `WEB_CONCURRENCY` sets the number of processes (default one)."""
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
    """A Celery node that takes one job at a time from `queue`; one node of an installation runs the beat."""
    options = ["--concurrency", "1", "--prefetch-multiplier", "1", "--without-gossip", "--without-mingle"]
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
