"""Uploads, imports and examples."""

import json
from itertools import islice
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from ftplatform.jobs.models import Job
from training.access import get_or_404, visible
from training.models import Dataset, DatasetImport, SavedMapping, Upload


def upload(*, user: User, pk: UUID) -> Upload:
    """One of the user's own uploads; raises 404 for other users' uploads and expired ones."""
    mine = Upload.objects.filter(created_by=user, expires_at__gt=timezone.now()).select_related("dataset")
    return get_or_404(visible(mine, user), pk)


def open_imports(*, user: User) -> list[DatasetImport]:
    """The newest check of each of the user's uploads that is queued, running or refused; at most 20."""
    mine = DatasetImport.objects.filter(
        created_by=user, upload__dataset__isnull=True, upload__expires_at__gt=timezone.now()
    )
    newest: dict[UUID, DatasetImport] = {}
    for each in visible(mine.select_related("upload"), user)[:60]:
        newest.setdefault(each.upload_id, each)
    return [each for each in newest.values() if each.status != Job.Status.CANCELLED][:20]


def newest_import(upload: Upload) -> DatasetImport | None:
    return upload.imports.select_related("upload").first()


def saved_mappings(*, user: User, kind: str) -> QuerySet[SavedMapping]:
    """The mappings saved for files of this kind, by name; all staff share them."""
    return visible(SavedMapping.objects.filter(kind=kind), user)


def saved_mapping(*, user: User, kind: str, name: str) -> dict[str, Any]:
    """The mapping saved under this name. Raises DomainError `unknown_mapping`."""
    found = saved_mappings(user=user, kind=kind).filter(name=name).first()
    if found is None:
        raise DomainError("unknown_mapping", f"No column mapping is saved as {name}.", status=404)
    mapping: dict[str, Any] = found.mapping
    return mapping


def examples(dataset: Dataset, split: str, *, limit: int) -> list[dict[str, Any]]:
    """The first rows of a split; reads only as far as needed."""
    try:
        with dataset.split_file(split).open(encoding="utf-8") as lines:
            return [json.loads(line) for line in islice(lines, limit)]
    except (FileNotFoundError, NotADirectoryError):
        raise DomainError(
            "dataset_files_missing",
            f"The stored rows of {dataset} are missing; restore the artefact folder from a backup, or upload the "
            "same file with the same held-out share again.",
            status=409,
        ) from None
