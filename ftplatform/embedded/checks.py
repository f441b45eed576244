"""Checks that run before anything starts, so that errors appear at once and not after minutes."""

import errno
import fcntl
import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ftplatform.embedded.errors import CannotStart

MIN_FREE_BYTES = 200 * 2**20
ADDRESS = "127.0.0.1"


def check_folder(var: Path) -> None:
    """Create the folder and check that it takes data: a full disk can still create an empty file."""
    probe = var / f".probe-{os.getpid()}"
    try:
        (var / "logs").mkdir(parents=True, exist_ok=True)
        probe.write_bytes(bytes(64 * 1024))
        probe.unlink()
        free = shutil.disk_usage(var).free
    except OSError as error:
        with suppress(OSError):
            probe.unlink()
        reason = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror
        raise CannotStart(
            f"{var} cannot be written ({reason}); mend that, or set VAR_DIR to another folder."
        ) from error
    if free < MIN_FREE_BYTES:
        raise CannotStart(
            f"The disk of {var} has {free // 2**20} MB free and {MIN_FREE_BYTES // 2**20} MB are needed; "
            "free some space, or set VAR_DIR to a folder on another disk."
        )


def check_port(port: int) -> None:
    if not 0 < port < 65536:
        raise CannotStart(f"{port} is not a port; choose one from 1 to 65535, for example PORT=8001.")
    with closing(socket.socket()) as probe:
        # The server sets this too: lingering connections of an earlier run must not count as "in use".
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            reason = (
                "is already in use"
                if error.errno == errno.EADDRINUSE
                else f"cannot be used ({error.strerror})"
            )
            raise CannotStart(
                f"Port {port} {reason}; choose another one, for example PORT={port + 1}."
            ) from error


@contextmanager
def only_one(var: Path, *, patience: float) -> Iterator[int]:
    """Hold the lock on `var` and yield its file descriptor. Raises CannotStart if another process holds it.

    A process that inherits the descriptor holds the lock too. The guards do: after a kill -9 they need a few seconds
    to stop the services, and a start right afterwards waits for that.
    """
    handle = os.open(var / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + patience
        while not _locked(handle):
            holder = os.pread(handle, 20, 0).decode(errors="replace").strip()
            if time.monotonic() > deadline or _runs(holder):
                raise CannotStart(
                    f"ftplatform already runs in {var} (process {holder}); stop that one first, "
                    "or set VAR_DIR to another folder."
                )
            time.sleep(0.1)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield handle
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _runs(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
