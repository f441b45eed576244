"""Create datasets: every row is checked and problems are reported; a version is stored completely or not at all."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import IO

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max

from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from training.intake.checking import Checked, Tell, Wishes, check, silent
from training.intake.column_mapping import ColumnMapping
from training.intake.problems import ProblemLog
from training.intake.rows import SPLITS
from training.intake.schemas import Schema
from training.models import Dataset

_KEPT_PROBLEMS = 100


def create(
    *,
    user: User,
    name: str,
    file: IO[bytes],
    source_name: str,
    mapping: ColumnMapping | None = None,
    validation_share: float = 0.1,
    test_share: float = 0.0,
    schema: Schema | None = None,
    skip_bad_rows: bool = False,
    description: str = "",
    report: Path | None = None,
    read_before: Mapping[str, str] = MappingProxyType({}),
    tell: Tell = silent,
) -> Dataset:
    """Check `file` (see docs/dataset-format.md) and store it as the next version of `name`.

    Without `schema`, the one that all outputs share is inferred and stored. The same content under the same name
    returns the existing version. Raises DomainError `invalid_rows` listing bad rows with line, field and reason,
    unless they are skipped. Nothing is stored if it raises. `report` receives all of them as CSV. `read_before` has
    the facts of unpacking and conversion that were done before. `tell` is called with the progress; raise from it to
    cancel.
    """
    wishes = Wishes(mapping, validation_share, test_share, schema, skip_bad_rows)
    wishes.require_valid()
    with incoming() as scratch, ProblemLog(report) as problems:
        checked = check(file, source_name, wishes, scratch, problems, tell)
        tell("Storing", 1)
        _keep(checked)
    checked.facts["source"] |= {name: value for name, value in read_before.items() if value}
    checked.facts["skipped"] = {"rows": problems.rows, "problems": problems.shown[:_KEPT_PROBLEMS]}
    return _store(user=user, name=name, source_name=source_name, description=description, checked=checked)


def sweep_scratch(*, before: float) -> None:
    """Remove scratch folders of killed processes: those with no write since `before`, in seconds since 1970."""
    for folder in (Path(settings.ARTEFACT_DIR) / "datasets").glob(".incoming-*"):
        with suppress(OSError):
            if max(path.stat().st_mtime for path in [folder, *folder.iterdir()]) < before:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def incoming() -> Iterator[Path]:
    """A scratch folder beside the stored datasets, removed at the end. Disk errors become a DomainError."""
    root = Path(settings.ARTEFACT_DIR) / "datasets"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=root, prefix=".incoming-", ignore_cleanup_errors=True
        ) as scratch:
            yield Path(scratch)
    except (OSError, sqlite3.OperationalError) as error:
        said = getattr(error, "strerror", None) or error
        raise DomainError("disk", f"The dataset could not be stored: {said}.", status=507) from error


def _keep(checked: Checked) -> None:
    """Move the finished folder into place in one step. If the same content is already stored under another name, only
    missing files are restored."""
    target = checked.folder.parent / checked.content_hash
    try:
        checked.folder.chmod(0o755)
        checked.folder.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        for split in SPLITS:
            if not (target / f"{split}.jsonl").exists():
                (checked.folder / f"{split}.jsonl").rename(target / f"{split}.jsonl")


def _store(*, user: User, name: str, source_name: str, description: str, checked: Checked) -> Dataset:
    try:
        with transaction.atomic():
            existing = Dataset.objects.filter(name=name, content_hash=checked.content_hash).first()
            if existing is not None:
                return existing
            latest = Dataset.objects.filter(name=name).aggregate(latest=Max("version"))["latest"] or 0
            dataset = Dataset.objects.create(
                name=name,
                version=latest + 1,
                content_hash=checked.content_hash,
                source_name=source_name[:255],
                train_rows=checked.counts["train"],
                validation_rows=checked.counts["validation"],
                test_rows=checked.counts["test"],
                output_schema=checked.schema,
                facts=checked.facts,
                description=description,
                created_by=user,
            )
            audit.record(actor=user, action="dataset.create", target=dataset, rows=checked.good_rows)
            return dataset
    except IntegrityError:
        raise DomainError(
            "dataset_race",
            "Another version of this dataset was stored at the same moment. Upload the file again.",
        ) from None
