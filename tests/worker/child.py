"""A child process with manners of a test's choosing: `python -m tests.worker.child JOB.json`.

It speaks the protocol of `worker.ml.protocol` over a real pipe; what it says and how it dies is in the job file.
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path


def say(**event: object) -> None:
    print(json.dumps(event), flush=True)


def listen(deaf: bool) -> None:
    """Stop at a word on stdin, unless deaf; leave when whoever holds it has gone."""
    while os.read(0, 4096):
        if not deaf:
            say(event="cancelled", step=3)
            os._exit(0)
    os._exit(1)


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    threading.Thread(target=listen, args=[job.get("deaf", False)], daemon=True).start()
    if job.get("grandchild"):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(job["grandchild"]).write_text(str(child.pid))
    for event in job["events"]:
        say(**event)
        time.sleep(job.get("pause", 0))
    if job.get("hang"):
        time.sleep(600)
    if job.get("garbage"):
        sys.stdout.write("not json\n")
    if (status := job.get("status", 0)) < 0:
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    main()
