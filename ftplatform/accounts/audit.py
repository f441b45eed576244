"""The only function that writes to the audit log."""

from typing import Any

from django.db import models

from ftplatform.accounts.models import AuditEntry, User


def record(*, actor: User | None, action: str, target: models.Model, **details: Any) -> None:
    """Add an entry. Call it inside the transaction of the change that it describes."""
    AuditEntry.objects.create(
        actor=actor, action=action, target=f"{target._meta.label_lower}:{target.pk}", details=details
    )
