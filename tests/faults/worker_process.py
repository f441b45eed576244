"""A worker on the test's own database that takes one job after the other, until it is killed.

    python -m tests.faults.worker_process [restart]

With `restart` it begins like the embedded site: no other worker lives, so what runs is taken back at once.
"""

import os
import sys
import time
from typing import Any

import django

django.setup()

from django.db import connections  # noqa: E402

connections["default"].settings_dict["NAME"] = os.environ["TEST_DATABASE"]

from ftplatform import queues  # noqa: E402
from ftplatform.jobs import services as jobs  # noqa: E402
from worker import runners, supervise, tasks  # noqa: E402

# Nobody listens to the bell here: this worker looks by itself.
queues.ring = lambda queue: None


class QuickAttempt(supervise.Attempt):
    """Starts the training out of the nursery; everything else is the real one."""

    def __init__(self, claim: jobs.Claim, module: str, *others: Any) -> None:
        quick = "tests.faults.quick" if module == "worker.ml.train" else module
        super().__init__(claim, quick, *others)


setattr(runners, "Attempt", QuickAttempt)  # noqa: B010 (runners does not export it)

if __name__ == "__main__":
    if "restart" in sys.argv:
        jobs.take_back_all()
    while os.getppid() != 1:
        jobs.recover()
        tasks.run_next(queues.GPU)
        time.sleep(0.05)
