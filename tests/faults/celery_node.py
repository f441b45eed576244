"""The platform's Celery application on the test's own database: `celery -A tests.faults.celery_node worker`."""

import tests.faults.quickly  # noqa: F401
from ftplatform.celery import app

__all__ = ["app"]
