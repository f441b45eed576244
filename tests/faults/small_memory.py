"""Run the training command with little memory: `python -m tests.faults.small_memory MEGABYTES JOB`.

The libraries are loaded first, and the limit applies to memory beyond them, so that training itself runs out.
"""

import os
import resource
import sys
from pathlib import Path

import bitsandbytes  # noqa: F401
import trl  # noqa: F401

import worker.ml.setup  # noqa: F401
from worker.ml import train
from worker.ml.protocol import run_command

if __name__ == "__main__":
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGESIZE") + int(sys.argv.pop(1)) * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    sys.exit(run_command(train.main))
