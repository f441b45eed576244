"""Training and generation. Each run is a separate process, started by the supervisor in `worker`."""

import os

# OpenMP's waiting threads spin by default. If another process is busy (a web server, a second run), a training step
# was six times slower on two cores. This must be set before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
