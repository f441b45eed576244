"""Imported by a worker process: sets up Django on the test's own database and fast-starting training.

`TEST_DATABASE` names the database. With `NURSERY`, training processes are forked by the nursery at that socket.
"""

import os
from typing import Any

import django

django.setup()

from django.db import connections  # noqa: E402

connections["default"].settings_dict["NAME"] = os.environ["TEST_DATABASE"]

from ftplatform.jobs import services as jobs  # noqa: E402
from worker import runners, supervise  # noqa: E402


class QuickAttempt(supervise.Attempt):
    """Starts training through the nursery; otherwise identical to the real class."""

    def __init__(self, claim: jobs.Claim, module: str, *others: Any) -> None:
        quick = "tests.faults.quick" if module == "worker.ml.train" else module
        super().__init__(claim, quick, *others)


if os.environ.get("NURSERY"):
    setattr(runners, "Attempt", QuickAttempt)  # noqa: B010 (runners does not export it)
