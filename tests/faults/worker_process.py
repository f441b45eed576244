"""A worker on the test's own database that runs one job after another until it is killed.

    python -m tests.faults.worker_process [restart]

With `restart` it starts like the embedded site: no other worker exists, so running jobs are requeued at once.
"""

import os
import sys
import time

import tests.faults.quickly  # noqa: F401
from ftplatform import queues
from ftplatform.jobs import services as jobs
from worker import tasks, tracking

# No Celery node receives messages here: this worker polls the database.
queues.ring = lambda queue: None
# On a busy machine, the last metrics may take longer to reach MLflow's files.
tracking._LAST_WAIT_SECONDS = 600.0

if __name__ == "__main__":
    if "restart" in sys.argv:
        jobs.take_back_all()
    while os.getppid() != 1:
        jobs.recover()
        tasks.run_next(queues.GPU)
        time.sleep(0.05)
