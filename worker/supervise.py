"""Run one attempt of a job in a fresh process and store its events in the database.

The child writes JSON lines (see `worker.ml.protocol`) and has no access to the database; this process holds the
lease. It renews the lease only while the child gives signs of life, so a frozen child counts as a dead one. It
asks the child to stop when a user cancels or pauses the job, and kills it when another attempt has taken the job
over.
"""

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from worker import run_log
from worker.forecast import Pace
from worker.ml import events

log = logging.getLogger(__name__)
Event = dict[str, Any]
_POLL_SECONDS = 0.5
_LINGER_SECONDS = 5.0
# The child runs third-party models and chat templates and needs none of these.
_SECRETS = ("SECRET_KEY", "DATABASE_URL", "REDIS_URL")
_SECRET_PREFIXES = ("MLFLOW_", "DATABRICKS_")


@dataclass
class Outcome:
    """How the child ended: the result in its last event, or the defaults if it sent none."""

    status: Job.Status = Job.Status.FAILED
    code: str = "worker_crashed"
    message: str = "The worker process ended without a word"
    done: Event = field(default_factory=dict)

    @property
    def is_lost(self) -> bool:
        """Whether another attempt may continue the work: no event said that it could not."""
        lost = ("worker_crashed", "worker_stalled")
        return self.status == Job.Status.CANCELLED or (self.status == Job.Status.FAILED and self.code in lost)


def child_environment() -> dict[str, str]:
    """The worker's environment without what only the web server and the queue need to know."""
    mine = {
        name: value
        for name, value in os.environ.items()
        if name not in _SECRETS and not name.startswith(_SECRET_PREFIXES)
    }
    return {"HF_HUB_OFFLINE": "1", **mine, "PYTHONUNBUFFERED": "1"}


class Attempt:
    """One child process under one claim; `on_event` stores what the child measured."""

    def __init__(
        self,
        claim: jobs.Claim,
        module: str,
        job: dict[str, Any],
        folder: Path,
        on_event: Callable[[list[Event]], None],
    ) -> None:
        self.claim = claim
        self.on_event = on_event
        self.log_file = folder / "worker.log"
        self.run_log = folder.parent / run_log.NAME
        folder.mkdir(parents=True, exist_ok=True)
        job_file = folder / "job.json"
        job_file.write_text(json.dumps({**job, "watch_stdin": True}, ensure_ascii=False), encoding="utf-8")
        with self.log_file.open("ab") as log_file:
            self._child = subprocess.Popen(
                [sys.executable, "-m", module, str(job_file)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log_file,
                start_new_session=True,
                cwd=settings.BASE_DIR,
                env=child_environment(),
            )
        self._events: queue.Queue[Event | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self._progress: dict[str, Any] = {}
        self._last_sign = time.monotonic()
        self._last_beat = 0.0
        self._kill_at: float | None = None
        self._was_killed = False
        self._pace = Pace()

    def run(self) -> Outcome:
        """Follow the child until it ends.

        Raises StaleAttempt, after killing the child, when this attempt no longer owns the job.
        """
        outcome = Outcome()
        try:
            ended = False
            while not ended:
                # A process that the child left behind may hold the pipe open, so the child's own exit counts
                # too, once its last events have had time to arrive.
                exited = self._child.poll() is not None
                batch, closed = self._collect(_LINGER_SECONDS if exited else _POLL_SECONDS)
                ended = closed or (exited and not batch)
                for event in batch:
                    self._take(event, outcome)
                if batch:
                    self.on_event(batch)
                    run_log.append(self.run_log, run_log.lines_of(batch))
                self._beat(outcome)
            self._explain_silence(outcome)
            return outcome
        finally:
            self._kill()

    def _explain_silence(self, outcome: Outcome) -> None:
        """Explain a SIGKILL that was not ours: it usually comes from the system, when memory runs out."""
        if outcome.code != "worker_crashed" or outcome.status != Job.Status.FAILED or self._was_killed:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self._child.wait(5) == -signal.SIGKILL:
                outcome.message = "The worker process was killed from outside (as when memory runs out)"

    def _read(self) -> None:
        assert self._child.stdout is not None  # noqa: S101 (Popen was given a pipe)
        for line in self._child.stdout:
            try:
                event = json.loads(line)
                problem = events.problem(event)
            except ValueError:
                problem = "it is not JSON"
            if problem:
                log.warning("The child wrote something that is no event, for %s: %r", problem, line[:200])
            else:
                self._events.put(event)
        self._events.put(None)

    def _collect(self, timeout: float) -> tuple[list[Event], bool]:
        """The events that have arrived, after waiting up to `timeout` seconds for the first, and whether the child
        has closed its end."""
        batch: list[Event] = []
        while True:
            try:
                event = self._events.get(timeout=timeout)
            except queue.Empty:
                return batch, False
            if event is None:
                return batch, True
            self._last_sign = time.monotonic()
            batch.append(event)
            timeout = 0.01

    def _take(self, event: Event, outcome: Outcome) -> None:
        kind = event["event"]
        if kind == "stage":
            self._progress = {"stage": str(event["stage"]).capitalize()}
            self._last_beat = 0.0
        elif kind == "step":
            self._advance(event["step"], event["total_steps"])
        elif kind in ("progress", "responses", "timings", "failures"):
            self._advance(event["done"], event["total"])
        elif kind == "done":
            outcome.status, outcome.done, outcome.message = Job.Status.SUCCEEDED, event, ""
        elif kind == "cancelled":
            outcome.status, outcome.code = Job.Status.CANCELLED, "worker_stopped"
            outcome.message = "The worker stopped"
            if "step" in event:
                outcome.message += f" after step {event['step']}"
        elif kind == "error":
            outcome.code, outcome.message = str(event["code"]), str(event["message"])

    def _advance(self, done: int, total: int) -> None:
        self._pace.report(done, total)
        self._progress |= {"step": done, "total_steps": total}

    def _forecast(self) -> dict[str, Any]:
        left = self._pace.forecast()
        if left is None:
            return {}
        return {"seconds_left": left.seconds, "seconds_left_low": left.low, "seconds_left_high": left.high}

    def _beat(self, outcome: Outcome) -> None:
        """Renew the lease on schedule. Ask the child to stop on request; kill it on silence and after the grace
        period."""
        now = time.monotonic()
        if self._kill_at is not None and now >= self._kill_at:
            self._kill()
        if now - self._last_sign > settings.JOB_LEASE_SECONDS:
            outcome.code = "worker_stalled"
            outcome.message = (
                f"The worker process sent no events for {settings.JOB_LEASE_SECONDS} seconds and was stopped"
            )
            self._kill()
        elif now - self._last_beat >= min(2.0, settings.JOB_HEARTBEAT_SECONDS):
            self._last_beat = now
            if jobs.heartbeat(self.claim, **self._progress, **self._forecast()) and self._kill_at is None:
                self._kill_at = now + settings.JOB_CANCEL_GRACE_SECONDS
                self._ask_to_stop()

    def _ask_to_stop(self) -> None:
        """Send a message, not a signal: of several processes, a signal would end the one that started them."""
        assert self._child.stdin is not None  # noqa: S101 (Popen was given a pipe)
        try:
            self._child.stdin.write(b"stop\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            return

    def _kill(self) -> None:
        """Kill the whole process group, so that nothing the child started holds the device.

        Processes that it started in sessions of their own end with it or, at the latest, when their stdin is closed.
        """
        self._was_killed = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        if self._child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._child.stdin.close()
