"""Training and generation; each run is a process of its own, started by the supervisor in `worker`."""

import os

# OpenMP's waiting threads spin by default. Beside any other busy process (a web server, a second run) that made a
# training step six times slower on two cores; it has to be set before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
