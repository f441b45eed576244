"""Run the whole platform on one machine, without manual installation.

`with embedded.services() as running:` starts a Redis server and two Celery nodes, and `running.serve(port)` the web
server. All of them stop when the block ends, and also when the process is killed.
"""

from ftplatform.embedded.errors import CannotStart, EmbeddedError, ServiceDied
from ftplatform.embedded.processes import Running, services

__all__ = ["CannotStart", "EmbeddedError", "Running", "ServiceDied", "services"]
