"""Restore a backup into an empty installation: all of it, or nothing."""

import gzip
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Model
from pydantic import BaseModel, ValidationError

from ftplatform.accounts.models import User
from ftplatform.backups import tables
from ftplatform.backups.archive import FORMAT, MANIFEST, NOT_OURS, Hashed, member, secret_file
from ftplatform.backups.progress import Progress
from ftplatform.embedded.checks import only_one
from ftplatform.errors import DomainError

Tables: TypeAlias = dict[str, type[Model]]
_NOT_EMPTY = (
    "This installation is not empty ({what}), and a backup is restored into an empty one only; set VAR_DIR, "
    "ARTEFACT_DIR and DATABASE_URL to new places, or empty these."
)


class Manifest(BaseModel):
    """The manifest of `archive.write`, which describes everything else in the archive."""

    format: int
    made_at: datetime
    artefact_dir: str
    migrations: list[str]
    rows: dict[str, int]
    members: dict[str, str]


def restore(file: Path, *, report_progress: Progress) -> Manifest:
    """Fill an empty installation from the backup `file`. The site must not be running; this is checked for this
    VAR_DIR.

    A backup of an older version is loaded into the tables of that version, which are then migrated to this one. The
    archive is unpacked within ARTEFACT_DIR, which may be a separate file system, and every member is checked before
    anything is changed. Raises CannotStart, and DomainError `not_empty`, `not_a_backup`, `incomplete`, `damaged`,
    `other_version`, `other_columns`, `unfit`.
    """
    Path(settings.VAR_DIR).mkdir(parents=True, exist_ok=True)
    if User._meta.db_table in connection.introspection.table_names() and User.objects.exists():
        raise DomainError("not_empty", _NOT_EMPTY.format(what="it has accounts"))
    with only_one(Path(settings.VAR_DIR), patience=0), _work(Path(settings.ARTEFACT_DIR)) as work:
        manifest = _unpack(file, work, report_progress)
        models = tables.all_tables(tables.migrate_to(manifest.migrations))
        _check_tables(file, manifest, models)
        with transaction.atomic():
            _load(manifest, models, work, report_progress)
            _put_in_place(manifest, work)
        call_command("migrate", verbosity=0)
    return manifest


@contextmanager
def _work(target: Path) -> Iterator[Path]:
    """A folder to unpack to, removed afterwards. What a killed restore left there is removed first."""
    if target.exists() and any(each.name not in NOT_OURS for each in target.iterdir()):
        raise DomainError("not_empty", _NOT_EMPTY.format(what=f"{target} has files"))
    is_new = not target.exists()
    work = target / ".restoring"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if is_new and not any(target.iterdir()):
            target.rmdir()


def _unpack(file: Path, work: Path, report_progress: Progress) -> Manifest:
    """Unpack everything and check it against the manifest, which is returned."""
    digests: dict[str, str] = {}
    size = file.stat().st_size
    try:
        with tarfile.open(file, mode="r|") as tar:
            for entry in tar:
                report_progress("unpacking", entry.offset, size)
                digests[entry.name] = _extract(tar, entry, work)
    except (tarfile.TarError, EOFError) as error:
        raise DomainError("not_a_backup", f"{file} is no backup, or was cut off: {error}.") from error
    if MANIFEST not in digests:
        raise DomainError(
            "incomplete", f"{file} has no manifest: it is no backup, or its writing was cut off."
        )
    del digests[MANIFEST]
    manifest = _read_manifest(file, (work / MANIFEST).read_bytes())
    if digests != manifest.members:
        names = sorted(
            name
            for name in digests.keys() | manifest.members
            if digests.get(name) != manifest.members.get(name)
        )
        raise DomainError(
            "damaged", f"{len(names)} parts of {file} are not what was backed up, first {names[0]}."
        )
    return manifest


def _read_manifest(file: Path, data: bytes) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "as a whole"
        raise DomainError(
            "not_a_backup", f"{file} is no backup: its manifest, {place}: {first['msg']}."
        ) from error
    if manifest.format != FORMAT:
        raise DomainError("other_version", f"{file} is a backup of format {manifest.format}, not {FORMAT}.")
    return manifest


def _check_tables(file: Path, manifest: Manifest, models: Tables) -> None:
    labels = models.keys()
    if wrong := labels ^ manifest.rows or [each for each in labels if member(each) not in manifest.members]:
        raise DomainError("damaged", f"{file} does not have the tables of its version, first {min(wrong)}.")


def _extract(tar: tarfile.TarFile, entry: tarfile.TarInfo, work: Path) -> str:
    path = PurePosixPath(entry.name)
    inside = not path.is_absolute() and ".." not in path.parts
    stream = tar.extractfile(entry) if entry.isreg() and inside else None
    if stream is None:
        raise DomainError("not_a_backup", f"The archive has a member that no backup has: {entry.name!r}.")
    target = work / path
    target.parent.mkdir(parents=True, exist_ok=True)
    hashed = Hashed(stream)
    with target.open("xb") as out:
        shutil.copyfileobj(hashed, out)
    return hashed.digest.hexdigest()


def _load(manifest: Manifest, models: Tables, work: Path, report_progress: Progress) -> None:
    moved = (manifest.artefact_dir, str(settings.ARTEFACT_DIR))
    tables.clear(models.values())
    done, total = 0, sum(manifest.rows.values())
    for label, model in models.items():
        report_progress(f"table {label}", done, total)
        try:
            with gzip.open(work / member(label)) as lines:
                count = tables.load(model, lines, moved=moved)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DomainError("damaged", f"{member(label)} cannot be unpacked: {error}.") from error
        if count != manifest.rows[label]:
            raise DomainError("damaged", f"{label} has {count} rows and should have {manifest.rows[label]}.")
        done += count
    tables.continue_numbering(models.values())
    connection.check_constraints()


def _put_in_place(manifest: Manifest, work: Path) -> None:
    if (work / "artefacts").is_dir():
        for each in sorted((work / "artefacts").iterdir()):
            each.rename(settings.ARTEFACT_DIR / each.name)
    if "secret_key" in manifest.members and not os.environ.get("SECRET_KEY"):
        # Copied, not renamed: VAR_DIR may be on another file system.
        part = secret_file().with_name(".secret_key.part")
        part.touch(mode=0o600)
        part.write_bytes((work / "secret_key").read_bytes())
        part.replace(secret_file())
