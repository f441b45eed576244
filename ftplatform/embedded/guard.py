"""Run one command, and leave none of its processes behind, however the supervisor ends.

    python -I -S guard.py GRACE_SECONDS SIGNAL COMMAND...

Standard input is a pipe whose other end the supervisor holds. End of file means "stop": the supervisor closed it, or
it died, even by SIGKILL, and the kernel closed it. The command then gets SIGNAL and, after the grace period,
SIGKILL. On Linux the guard adopts every descendant that loses its parent and kills it at the end, whatever its
session, and the command dies with the guard. On other systems a kill reaches the process group only.

The guard is started by path and without site packages, so that it starts quickly. It may import only the standard
library.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def prctl(option: int, value: int) -> None:
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def main(arguments: list[str]) -> int:
    grace, stop_signal, command = float(arguments[0]), int(arguments[1]), arguments[2:]
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    # No thread runs yet, so code between fork and exec is safe here.
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
    )
    threading.Thread(target=_set_at_end_of_input, args=(stop,), daemon=True).start()
    threading.Thread(
        target=_stop_when_asked, args=(stop, process.pid, stop_signal, grace), daemon=True
    ).start()
    status = _wait_for(process.pid)
    _kill_group(process.pid)
    _kill_adopted()
    return status


def _set_at_end_of_input(stop: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    stop.set()


def _stop_when_asked(stop: threading.Event, pid: int, stop_signal: int, grace: float) -> None:
    stop.wait()
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, stop_signal)
    time.sleep(grace)
    _kill_group(pid)


def _wait_for(pid: int) -> int:
    """Reap every child that ends, adopted orphans included, until `pid` ends. Return its status as a shell does."""
    while True:
        ended, status = os.wait()
        if ended == pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _kill_adopted() -> None:
    """Kill until nothing is left: killing an orphan makes us the parent of its children."""
    with contextlib.suppress(ChildProcessError):
        while True:
            for pid in _children():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            os.wait()


def _children() -> list[int]:
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The second field is a name in parentheses that may contain anything; the parent's id is the
            # fourth.
            if int(stat.read_text(errors="replace").rpartition(")")[2].split()[1]) == os.getpid():
                children.append(int(stat.parent.name))
    return children


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
