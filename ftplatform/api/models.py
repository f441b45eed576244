"""API writes that have already been answered, for idempotency keys."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class AnsweredWrite(models.Model):
    """A write with an Idempotency-Key, and its answer once there is one."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=100)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(
        null=True, help_text="HTTP status; none while it is being worked on."
    )
    body = models.JSONField(null=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "key"], name="answered_write_once")
        ]
