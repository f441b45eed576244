"""Protocol between a run and its supervisor.

The run writes JSON lines to stdout. Input on stdin asks it to stop; end of file on stdin means that the supervisor
has died. SIGTERM also asks it to stop, for commands started manually.

Every command runs through `run_command`, which owns the exit status:
0 after `done` or `cancelled`, 1 after `error`. Nothing else ever reaches stdout: the original descriptor is
kept for events, and descriptor 1 is pointed at stderr before any library loads.
"""

import errno
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from training.artefacts import ArtefactError
from worker.ml import events
from worker.ml.errors import MlError
from worker.ml.processes import is_first_process

HEARTBEAT_SECONDS = 5.0


class Cancelled(Exception):
    """Raised at a safe point after SIGTERM; `facts` go into the `cancelled` event."""

    def __init__(self, **facts: Any) -> None:
        super().__init__("cancelled")
        self.facts = facts


class Reporter:
    """Writes events, one JSON object per line, from any thread, and records whether a stop was requested.

    If a run has several processes, only the first reports; the others report errors only.
    """

    def __init__(self, stream: TextIO, *, only_errors: bool = False) -> None:
        self._stream = stream
        self._only_errors = only_errors
        self._lock = threading.Lock()
        self._last = time.monotonic()
        self.stop_requested = False

    def emit(self, event: str, **fields: Any) -> None:
        """Write one event. Raises ValueError for an event that `worker.ml.events` does not list, for a missing
        field, and for a number that JSON cannot represent (NaN, infinity)."""
        if self._only_errors and event != "error":
            return
        message = {"event": event, **fields}
        if problem := events.problem(message):
            raise ValueError(f"An event is not of the protocol: {problem}.")
        line = json.dumps(message, ensure_ascii=False, allow_nan=False)
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()
            self._last = time.monotonic()

    def progress(self, done: int, total: int) -> None:
        """Report that `done` of `total` items are done, in a job that does not train."""
        self.emit("progress", done=done, total=total)

    def alive(self) -> None:
        """Emit a heartbeat if no event was written for HEARTBEAT_SECONDS; called after real progress."""
        if time.monotonic() - self._last >= HEARTBEAT_SECONDS:
            self.emit("heartbeat")

    def check_stop(self, **facts: Any) -> None:
        """Raise Cancelled if SIGTERM has arrived."""
        if self.stop_requested:
            raise Cancelled(**facts)

    def stage(self, name: str) -> None:
        """Report the start of a stage whose events show its progress."""
        self.check_stop()
        self.emit("stage", stage=name)

    @contextmanager
    def quiet_stage(self, name: str) -> Iterator[None]:
        """Report the start of a stage in which a library reports nothing for a long time. A thread sends heartbeats."""
        self.stage(name)
        finished = threading.Event()

        def beat() -> None:
            while not finished.wait(HEARTBEAT_SECONDS / 5):
                self.alive()

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            finished.set()
            thread.join()


def run_command(work: Callable[[Reporter, dict[str, Any]], None]) -> int:
    """Run `work` on the job file named by the only argument and translate its outcome; returns the exit
    status."""
    reporter = Reporter(_take_stdout(), only_errors=not is_first_process())

    def ask_to_stop(_signal: int, _frame: object) -> None:
        reporter.stop_requested = True

    signal.signal(signal.SIGTERM, ask_to_stop)
    try:
        job = _read_job(sys.argv)
        if job.pop("watch_stdin", False):
            threading.Thread(target=_watch_stdin, args=(reporter,), daemon=True).start()
        work(reporter, job)
    except Cancelled as cancelled:
        reporter.emit("cancelled", **cancelled.facts)
    except Exception as error:
        code, message = _explain(error)
        reporter.emit("error", code=code, message=message)
        with suppress(OSError):  # the disk that holds the log may be full
            traceback.print_exc(file=sys.stderr)
        return 1
    return 0


def _take_stdout() -> TextIO:
    """Reserve stdout for events. Libraries that print, even from C, write to stderr instead."""
    sys.stdout.flush()
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return events


def _read_job(arguments: list[str]) -> dict[str, Any]:
    if len(arguments) != 2:
        raise MlError("job_invalid", "Give exactly one argument: the path of the job file.")
    try:
        job = json.loads(Path(arguments[1]).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MlError(
            "job_invalid", f"The job file {arguments[1]} cannot be read as JSON: {error}."
        ) from error
    if not isinstance(job, dict):
        raise MlError("job_invalid", f"The job file {arguments[1]} must hold one JSON object.")
    return job


def _watch_stdin(reporter: Reporter) -> None:
    """Stop when the supervisor writes to stdin. Exit at once when it closes: the supervisor has died, so nothing
    would read the result, and the device must be freed."""
    while os.read(0, 4096):
        reporter.stop_requested = True
    os._exit(1)


def _explain(error: Exception) -> tuple[str, str]:
    if isinstance(error, MlError | ArtefactError):
        return error.code, str(error)
    text = str(error)
    if _is_out_of_memory(error, text):
        return (
            "out_of_memory",
            "The device ran out of memory; lower the batch size (raising gradient accumulation keeps the same "
            "effective batch), shorten max_length, or use 4-bit.",
        )
    if (
        isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    ) or "No space left" in text:
        return "disk_full", "The disk is full; free some space and try again. What was saved before is kept."
    first_line = text.strip().splitlines()[0] if text.strip() else "no further detail"
    return (
        "internal",
        f"Unexpected {type(error).__name__}: {first_line[:300]}; the worker's log has the traceback.",
    )


def _is_out_of_memory(error: Exception, text: str) -> bool:
    # By name: torch is not imported here, so that a bad job is refused within milliseconds.
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or (isinstance(error, RuntimeError) and "can't allocate memory" in text)
