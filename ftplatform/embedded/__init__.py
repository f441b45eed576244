"""The whole platform on one machine with nothing installed by hand.

`with embedded.services() as running:` starts a Redis server and two Celery nodes, `running.serve(port)` the
web server. Whatever ends the block, and whatever kills the process, ends them all.
"""

from ftplatform.embedded.errors import CannotStart, EmbeddedError, ServiceDied
from ftplatform.embedded.processes import Running, services

__all__ = ["CannotStart", "EmbeddedError", "Running", "ServiceDied", "services"]
