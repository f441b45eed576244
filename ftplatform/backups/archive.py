"""Write a backup: a tar of tables and files. Its manifest comes last, so an archive without one is incomplete.

database/LABEL.jsonl.gz     one for each table
artefacts/...               every file below ARTEFACT_DIR except uploads in progress
secret_key                  if this installation generated its own
manifest.json               migrations, row counts, and the SHA-256 of every other member
"""

import fcntl
import gzip
import hashlib
import io
import json
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.utils import timezone

from ftplatform.backups import tables
from ftplatform.backups.progress import Progress
from ftplatform.errors import DomainError

FORMAT = 1
MANIFEST = "manifest.json"
# Directly below ARTEFACT_DIR: uploads in progress, a restore that was killed, the file system's own folder.
NOT_OURS = {"incoming", ".restoring", "lost+found"}


def secret_file() -> Path:
    return Path(settings.VAR_DIR) / "secret_key"


def member(label: str) -> str:
    """The path of a table's file in the archive."""
    return f"database/{label}.jsonl.gz"


def write(target: Path, *, report_progress: Progress) -> dict[str, Any]:
    """Write a backup to `target`, which must not exist, and return its manifest. A crash leaves no `target`.

    The tables are read in one snapshot and the files after it. An artefact is complete before a row refers to it,
    and does not change afterwards. Raises DomainError `exists`, `inside`, `no_folder`, `under_way`, `not_migrated`,
    `changed`.
    """
    _check(target)
    part = target.with_name(f".{target.name}.part")
    with _held_alone(part) as out:
        try:
            with tarfile.open(fileobj=out, mode="w|") as tar:
                manifest = _fill(tar, target.parent, report_progress)
            out.flush()
            os.fsync(out.fileno())
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)
    return manifest


def _check(target: Path) -> None:
    if target.exists():
        raise DomainError("exists", f"{target} exists already; nothing was written over it.")
    if target.resolve().is_relative_to(settings.ARTEFACT_DIR):
        raise DomainError(
            "inside",
            f"{target} is inside ARTEFACT_DIR, so each backup would hold those before; choose another folder.",
        )
    if not target.parent.is_dir():
        raise DomainError("no_folder", f"There is no folder {target.parent}; make it first.")
    if missing := tables.missing_migrations():
        raise DomainError(
            "not_migrated",
            f"The database is older than this version of ftplatform: {len(missing)} migrations were not applied to it, "
            f"first {missing[0]}. Back it up with the version it belongs to, or run `manage.py migrate` first.",
        )


@contextmanager
def _held_alone(part: Path) -> Iterator[IO[bytes]]:
    """Open the file for writing under an exclusive lock. What a killed backup left in it is overwritten."""
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as out:
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DomainError("under_way", f"Another backup is being written to {part}.") from error
        out.truncate()
        yield out


def _fill(tar: tarfile.TarFile, beside: Path, report_progress: Progress) -> dict[str, Any]:
    root = Path(settings.ARTEFACT_DIR)
    members: dict[str, str] = {}
    rows: dict[str, int] = {}
    with tables.snapshot():
        applied = tables.migrations()
        models = tables.all_tables()
        for number, (label, model) in enumerate(models.items()):
            report_progress(f"table {label}", number, len(models))
            name = member(label)
            with tempfile.TemporaryFile(dir=beside) as packed:
                rows[label] = _pack(packed, tables.dump(model))
                members[name] = _add(tar, packed, name)
    files = list(_files(root))
    total, done = sum(size for _, size in files), 0
    for file, size in files:
        report_progress("files", done, total)
        name = f"artefacts/{file.relative_to(root).as_posix()}"
        # Artefacts stay, so a file that has disappeared was not one.
        with suppress(FileNotFoundError), file.open("rb") as stream:
            members[name] = _add(tar, stream, name)
        done += size
    if secret_file().is_file() and secret_file().read_text().strip() == settings.SECRET_KEY:
        with secret_file().open("rb") as stream:
            members["secret_key"] = _add(tar, stream, "secret_key")
    manifest = {
        "format": FORMAT,
        "made_at": timezone.now().isoformat(),
        "artefact_dir": str(root),
        "migrations": applied,
        "rows": rows,
        "members": members,
    }
    _add_bytes(tar, MANIFEST, json.dumps(manifest, indent=1).encode())
    return manifest


def _pack(out: IO[bytes], lines: Iterator[bytes]) -> int:
    """Compress the lines into `out` and rewind it. Return the number of rows, not counting the line of names."""
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=3) as packed:
        rows = sum(1 for line in lines if packed.write(line)) - 1
    out.seek(0)
    return rows


def _files(root: Path) -> Iterator[tuple[Path, int]]:
    """List each file with its size. A file that disappears meanwhile is skipped; any other error is raised."""
    for folder, names, files in os.walk(root, onerror=_unless_it_went_away):
        left_out = NOT_OURS if Path(folder) == root else ()
        names[:] = sorted(
            name for name in names if name not in left_out and not name.startswith(".incoming-")
        )
        for name in sorted(files):
            file = Path(folder) / name
            with suppress(FileNotFoundError):
                facts = file.lstat()
                if stat.S_ISREG(facts.st_mode):
                    yield file, facts.st_size


def _unless_it_went_away(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _add(tar: tarfile.TarFile, stream: IO[bytes], name: str) -> str:
    """Add the file at its current size. Return the SHA-256 of what was added."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = os.fstat(stream.fileno()).st_size, 0o600
    hashed = Hashed(stream)
    try:
        tar.addfile(entry, hashed)
    except OSError as error:
        if error.errno is not None:
            raise
        raise DomainError(
            "changed", f"{name} became shorter while it was read; start the backup again."
        ) from error
    return hashed.digest.hexdigest()


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o600
    tar.addfile(entry, io.BytesIO(data))


class Hashed:
    """A stream that computes the SHA-256 of what is read from it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self.digest.update(block)
        return block
