"""Column mappings that are saved under a name."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from training.models import SavedMapping


@transaction.atomic
def save(*, user: User, kind: str, name: str, mapping: Mapping[str, Any]) -> SavedMapping:
    """Store a mapping for files of this kind. It replaces the one of the same name."""
    saved, _ = SavedMapping.objects.update_or_create(
        kind=kind, name=name, defaults={"mapping": dict(mapping), "created_by": user}
    )
    audit.record(actor=user, action="mapping.save", target=saved, kind=kind)
    return saved
