"""The server as deployed: Gunicorn with threads, and PostgreSQL or SQLite with durable writes."""

import os
import secrets
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from tests import services


@contextmanager
def environment(folder: Path, database: str) -> Iterator[None]:
    """Set the environment that the settings read, for this process and the server, before Django is imported."""
    folder.chmod(0o711)  # PostgreSQL drops root privileges and must still be able to enter the folder
    with ExitStack() as stack:
        (folder / "var").mkdir()
        os.environ["VAR_DIR"] = str(folder / "var")
        os.environ["HTTPS"] = "0"
        os.environ["SECRET_KEY"] = secrets.token_urlsafe(64)
        os.environ["LOG_LEVEL"] = "WARNING"
        os.environ.setdefault("WEB_CONCURRENCY", str(os.cpu_count() or 1))
        os.environ.pop("DATABASE_URL", None)
        if database == "postgresql":
            (folder / "postgresql").mkdir()
            server = services.postgresql(folder / "postgresql", durable=True)
            os.environ["DATABASE_URL"] = stack.enter_context(server)
        os.environ["DJANGO_SETTINGS_MODULE"] = "ftplatform.settings"
        yield


class Site:
    """A running server. `cpu_seconds` is the processor time of its processes, without the database."""

    def __init__(self, port: int, guard: psutil.Process) -> None:
        self.port = port
        self._guard = guard

    def processes(self) -> list[psutil.Process]:
        children: list[psutil.Process] = self._guard.children(recursive=True)
        return children

    def cpu_seconds(self) -> float:
        times = [process.cpu_times() for process in self.processes()]
        return float(sum(one.user + one.system for one in times))

    def memory(self) -> int:
        """Resident memory of all its processes, in bytes."""
        return sum(process.memory_info().rss for process in self.processes())

    @staticmethod
    def database_cpu_seconds() -> float:
        """Processor time of PostgreSQL's processes. SQLite runs inside the web processes."""
        children = psutil.Process().children(recursive=True)
        times = [process.cpu_times() for process in children if process.name() == "postgres"]
        # Includes processes whose connection has ended meanwhile.
        return float(sum(one.user + one.system + one.children_user + one.children_system for one in times))


@contextmanager
def serving(folder: Path) -> Iterator[Site]:
    from ftplatform.embedded import commands, prepare

    prepare.migrate()
    prepare.collect_static_files()
    port = services.free_port()
    with services.guarded(commands.web(f"127.0.0.1:{port}"), log=folder / "web.log") as guard:
        services.wait_until(lambda: _answers(port), what="the server's answer")
        yield Site(port, psutil.Process(guard.pid))


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return int(answer.status) == 200
    except OSError:
        time.sleep(0.1)
        return False
