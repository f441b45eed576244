"""Start training processes quickly: a parent that has loaded the libraries forks one for each request.

Loading PyTorch and related libraries takes longer than the tiny training runs that the fault tests kill by the dozen.
The forked process runs the real command over the real pipes; only its start is faster.

    python -m tests.faults.nursery SOCKET       the parent
    python -m tests.faults.quick JOB            the command that a supervisor starts instead of worker.ml.train
"""

import array
import os
import selectors
import signal
import socket
import sys


def _become_training(descriptors: list[int], job_file: str) -> None:
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
        os.close(descriptor)
    os.setsid()
    sys.argv = ["train", job_file]
    # `os.kill` reads the training process's id from this file.
    with open(os.path.join(os.path.dirname(job_file), "pid"), "w") as out:  # noqa: PTH118, PTH120, PTH123
        out.write(str(os.getpid()))
    from worker.ml import train
    from worker.ml.protocol import run_command

    os._exit(run_command(train.main))


def _receive(connection: socket.socket) -> tuple[list[int], str]:
    message, descriptors, _, _ = socket.recv_fds(connection, 4096, 3)
    return list(array.array("i", descriptors)), message.decode()


def serve(path: str) -> None:
    """Fork for every connection and reply with the exit status of the child."""
    import bitsandbytes  # noqa: F401
    import peft  # noqa: F401
    import trl  # noqa: F401

    import worker.ml.setup
    import worker.ml.train  # noqa: F401

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    chooser = selectors.DefaultSelector()
    chooser.register(listener, selectors.EVENT_READ)
    running: dict[int, socket.socket] = {}
    while os.getppid() != 1:
        for _ in chooser.select(timeout=0.05):
            connection, _ = listener.accept()
            descriptors, job_file = _receive(connection)
            pid = os.fork()
            if pid == 0:
                listener.close()
                for other in running.values():
                    other.close()
                connection.close()
                _become_training(descriptors, job_file)
            for descriptor in descriptors:
                os.close(descriptor)
            running[pid] = connection
        for pid in list(running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                with running.pop(pid) as connection:
                    try:
                        connection.sendall(str(code).encode())
                    except OSError:
                        continue


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    serve(sys.argv[1])
