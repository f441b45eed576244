"""The embedded site as a person starts it: a process of its own, with a folder and a port of its own."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from tests import services


class Site:
    """`manage.py run` on `var` and `port`; its output is in `output`."""

    def __init__(self, var: Path, port: int, **environment: str) -> None:
        self.var, self.port = var, port
        self.output = var.parent / f"output-{port}.txt"
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "run"],
                cwd=services.ROOT,
                env=_environment(VAR_DIR=str(var), PORT=str(port), **environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def wait_until_served(self) -> None:
        def served() -> bool:
            assert self.process.poll() is None, self.said()
            return "Open http" in self.said()

        services.wait_until(served, seconds=600, what="the site")

    def said(self) -> str:
        return self.output.read_text()

    def processes(self) -> list[psutil.Process]:
        """The site's process and everything below it."""
        process = psutil.Process(self.process.pid)
        return [process, *process.children(recursive=True)]

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(120)

    def clean_up(self) -> None:
        """End what a test left running; should that hang, the guards do the rest."""
        if self.process.poll() is not None:
            return
        try:
            self.end(signal.SIGTERM)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(120)


def gone(processes: list[psutil.Process]) -> bool:
    return not any(map(_lives, processes))


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:  # between the two questions
        return False


def refused(var: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the site where it cannot start; returns what it said and how it ended."""
    return subprocess.run(
        [sys.executable, "manage.py", "run"],
        cwd=services.ROOT,
        env=_environment(VAR_DIR=str(var), **environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )


def _environment(**changes: str) -> dict[str, str]:
    # The site under test uses the default databases, whatever this test run uses.
    kept = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    return {**kept, "HTTPS": "0", "PYTHONUNBUFFERED": "1", **changes}
