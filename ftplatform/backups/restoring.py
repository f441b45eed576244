"""From a backup to an installation: everything of it, or nothing."""

import gzip
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from ftplatform.accounts.models import User
from ftplatform.backups import tables
from ftplatform.backups.archive import FORMAT, MANIFEST, Hashed, secret_file
from ftplatform.errors import DomainError

_NOT_EMPTY = (
    "This installation is not empty ({what}), and a backup is restored into an empty one only; set VAR_DIR, "
    "ARTEFACT_DIR and DATABASE_URL to new places."
)


def restore(file: Path, *, tell: Callable[[str], None]) -> dict[str, Any]:
    """Make an empty installation what `file` was made of; returns the manifest. The site must not be running.

    The archive is unpacked beside ARTEFACT_DIR and every member checked before anything is changed. Raises DomainError
    `not_empty`, `not_a_backup`, `incomplete`, `damaged`, `other_version`.
    """
    call_command("migrate", verbosity=0)
    target = Path(settings.ARTEFACT_DIR)
    if User.objects.exists():
        raise DomainError("not_empty", _NOT_EMPTY.format(what="it has accounts"))
    if target.exists() and any(target.iterdir()):
        raise DomainError("not_empty", _NOT_EMPTY.format(what=f"{target} has files"))
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".restoring-", dir=target.parent))
    try:
        manifest = _unpack(file, work, tell)
        with transaction.atomic():
            _load(manifest, work, tell)
            (work / "artefacts").mkdir(exist_ok=True)
            if target.exists():
                target.rmdir()
            (work / "artefacts").rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return manifest


def _unpack(file: Path, work: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """Unpack everything; returns the manifest, to which all of it was found equal."""
    found: dict[str, str] = {}
    try:
        with tarfile.open(file, mode="r|") as tar:
            for entry in tar:
                found[entry.name] = _extract(tar, entry, work)
    except (tarfile.TarError, EOFError) as error:
        raise DomainError("not_a_backup", f"{file} is no backup, or was cut off: {error}.") from error
    if MANIFEST not in found:
        raise DomainError(
            "incomplete", f"{file} has no manifest: it is no backup, or its writing was cut off."
        )
    del found[MANIFEST]
    manifest: dict[str, Any] = json.loads((work / MANIFEST).read_bytes())
    if manifest["format"] != FORMAT:
        raise DomainError(
            "other_version", f"{file} is a backup of format {manifest['format']}, not {FORMAT}."
        )
    if found != manifest["members"]:
        names = sorted(
            name
            for name in found.keys() | manifest["members"]
            if found.get(name) != manifest["members"].get(name)
        )
        raise DomainError(
            "damaged", f"{len(names)} parts of {file} are not what was backed up, first {names[0]}."
        )
    applied, others = set(tables.migrations()), set(manifest["migrations"])
    if applied != others:
        only = sorted(applied ^ others)
        raise DomainError(
            "other_version",
            f"{file} was made by another version of ftplatform ({len(only)} migrations differ, first {only[0]}); "
            "restore it with that version, and update afterwards.",
        )
    tell(f"{len(found)} parts are as they were backed up.")
    return manifest


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


def _load(manifest: dict[str, Any], work: Path, tell: Callable[[str], None]) -> None:
    models = tables.all_tables()
    moved = (manifest["artefact_dir"], str(settings.ARTEFACT_DIR))
    tables.clear(models.values())
    for label, model in models.items():
        with gzip.open(work / "database" / f"{label}.jsonl.gz") as lines:
            count = tables.load(model, lines, moved=moved)
        if count != manifest["rows"][label]:
            raise DomainError(
                "damaged", f"{label} has {count} rows and should have {manifest['rows'][label]}."
            )
    tables.continue_numbering(models.values())
    connection.check_constraints()
    tell(f"{sum(manifest['rows'].values()):,} rows in {len(models)} tables.")
    if "secret_key" in manifest["members"] and not os.environ.get("SECRET_KEY"):
        (work / "secret_key").chmod(0o600)
        (work / "secret_key").replace(secret_file())
