"""The Celery application. Tasks live in each package's `tasks` module; messages carry only ids, or nothing."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ftplatform.settings")

app = Celery("ftplatform")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["ftplatform.jobs", "training", "evaluation", "worker"])
