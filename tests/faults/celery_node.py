"""The platform's Celery application on the test's own database: `celery -A tests.faults.celery_node worker`.

With `VISIBILITY_TIMEOUT` it acknowledges a message only when the work is finished, and the broker delivers the
message again after that many seconds. Under this setting a long run is delivered twice.
"""

import os

import tests.faults.quickly  # noqa: F401
from ftplatform.celery import app

if seconds := os.environ.get("VISIBILITY_TIMEOUT"):
    app.conf.task_acks_late = True
    app.conf.broker_transport_options = {
        **app.conf.broker_transport_options,
        "visibility_timeout": int(seconds),
    }

__all__ = ["app"]
