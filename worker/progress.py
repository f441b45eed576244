"""Progress of a job that runs in the worker's own process."""

import time

from ftplatform.jobs import services as jobs
from worker.forecast import Pace

_TOLD_EVERY = 1.0
_WHOLE = 1000


class Stopped(Exception):
    """A user asked to stop the job."""


class Progress:
    """Stores progress in the job's row, which also renews the lease. Raises Stopped when a user asked to stop the
    job."""

    def __init__(self, claim: jobs.Claim) -> None:
        self._claim = claim
        self._pace = Pace()
        self._stage = ""
        self._told_at = 0.0

    def __call__(self, stage: str, part: float) -> None:
        now = time.monotonic()
        if stage == self._stage and now - self._told_at < _TOLD_EVERY:
            return
        self._stage, self._told_at = stage, now
        done = int(_WHOLE * part)
        self._pace.report(done, _WHOLE)
        left = self._pace.forecast()
        forecast = (
            {"seconds_left": left.seconds, "seconds_left_low": left.low, "seconds_left_high": left.high}
            if left
            else {}
        )
        if jobs.heartbeat(self._claim, stage=stage, step=done, total_steps=_WHOLE, **forecast):
            raise Stopped
