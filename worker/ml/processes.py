"""One run as several processes on one machine, one per device, started through accelerate.

The command replaces itself by accelerate's launcher, so its supervisor still has one child. The processes decide
together when to stop. If one stopped alone, the others would wait for it forever.
"""

import ctypes
import json
import os
import signal
import sys
from pathlib import Path

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def become_launcher(module: str, job_file: str) -> None:
    """Replace this process by accelerate's launcher if the job asks for several devices; otherwise return.

    `run_command` reports a job file that cannot be read.
    """
    if is_one_of_several():
        _die_with_the_launcher()
        return
    try:
        devices = int(json.loads(Path(job_file).read_text(encoding="utf-8"))["config"]["devices"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    if devices > 1:
        launcher = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_machines", "1"]
        options = ["--num_processes", str(devices), "--mixed_precision", "no", "--dynamo_backend", "no"]
        # Port 0 picks any free port, so that two runs on one machine do not collide.
        command = [*launcher, *options, "--main_process_port", "0", "-m", module, job_file]
        os.execv(sys.executable, command)  # noqa: S606 (a list, no shell)


def is_one_of_several() -> bool:
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_first_process() -> bool:
    return os.environ.get("RANK", "0") == "0"


def local_rank() -> int:
    return int(os.environ.get("LOCAL_RANK", "0"))


def all_agree(decision: int) -> int:
    """The greatest decision of all processes. Every process must call this at the same point."""
    import torch
    import torch.distributed

    device = f"cuda:{local_rank()}" if torch.cuda.is_available() else "cpu"
    greatest = torch.tensor(decision, device=device)
    torch.distributed.all_reduce(greatest, op=torch.distributed.ReduceOp.MAX)
    return int(greatest)


def _die_with_the_launcher() -> None:
    """End this process when the launcher ends. Each process has its own session, so a signal to the launcher's group
    does not reach it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
