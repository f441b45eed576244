"""A tar of tables and files; its manifest comes last, so that without one it is known to be incomplete.

database/LABEL.jsonl.gz     one for each table
artefacts/...               every file below ARTEFACT_DIR, but uploads in transit
secret_key                  if this installation made its own
manifest.json               what the others must be
"""

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.utils import timezone

from ftplatform.backups import tables
from ftplatform.errors import DomainError

FORMAT = 1
MANIFEST = "manifest.json"
_BLOCK = 1 << 20
# Called with what is being written, bytes done and bytes in all.
Progress = Callable[[str, int, int], None]


def secret_file() -> Path:
    return Path(settings.VAR_DIR) / "secret_key"


def write(target: Path, *, tell: Progress) -> dict[str, Any]:
    """Write a backup to `target`, which must not exist; returns its manifest. A crash leaves no `target`.

    The tables are of one moment, the files are read after it: an artefact is complete before a row names it, and is not
    changed after. Raises DomainError("exists").
    """
    part = target.with_name(f".{target.name}.part")
    if target.exists():
        raise DomainError("exists", f"{target} exists already; nothing was written over it.")
    try:
        with _open_for_us_alone(part) as out:
            with tarfile.open(fileobj=out, mode="w|") as tar:
                manifest = _fill(tar, target.parent, tell)
            out.flush()
            os.fsync(out.fileno())
        os.link(part, target)
    except FileExistsError as error:
        raise DomainError("exists", f"{target} was written by somebody else meanwhile.") from error
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _fill(tar: tarfile.TarFile, beside: Path, tell: Progress) -> dict[str, Any]:
    root = Path(settings.ARTEFACT_DIR)
    members: dict[str, str] = {}
    rows: dict[str, int] = {}
    with tables.snapshot():
        applied = tables.migrations()
        models = tables.all_tables()
        for number, (label, model) in enumerate(models.items()):
            tell(f"table {label}", number, len(models))
            name = f"database/{label}.jsonl.gz"
            packed = beside / f".{label}.jsonl.gz.part"
            try:
                rows[label] = _pack(packed, tables.dump(model))
                members[name] = _add(tar, packed, name)
            finally:
                packed.unlink(missing_ok=True)
    files = list(_files(root))
    total, done = sum(size for _, size in files), 0
    for file, size in files:
        tell("files", done, total)
        name = f"artefacts/{file.relative_to(root).as_posix()}"
        if digest := _add(tar, file, name):
            members[name] = digest
        done += size
    if secret_file().is_file() and secret_file().read_text().strip() == settings.SECRET_KEY:
        members["secret_key"] = _add(tar, secret_file(), "secret_key")
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


def _pack(file: Path, lines: Iterator[bytes]) -> int:
    """Write the lines; returns how many rows follow the line of names."""
    with _open_for_us_alone(file) as out, gzip.GzipFile(fileobj=out, mode="wb", compresslevel=3) as packed:
        return sum(1 for line in lines if packed.write(line)) - 1


def _files(root: Path) -> Iterator[tuple[Path, int]]:
    for folder, names, files in os.walk(root):
        if Path(folder) == root:
            names[:] = [name for name in names if name != "incoming"]
        names[:] = sorted(name for name in names if not name.startswith(".incoming-"))
        for name in sorted(files):
            file = Path(folder) / name
            if file.is_file() and not file.is_symlink():
                yield file, file.stat().st_size


def _add(tar: tarfile.TarFile, file: Path, name: str) -> str:
    """Add what the file holds now; returns the SHA-256 of that, "" if it went away meanwhile."""
    try:
        stream = file.open("rb")
    except FileNotFoundError:
        return ""
    with stream:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = os.fstat(stream.fileno()).st_size, 0o600
        hashed = Hashed(stream)
        tar.addfile(entry, hashed)
        return hashed.digest.hexdigest()


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o600
    tar.addfile(entry, io.BytesIO(data))


def _open_for_us_alone(file: Path) -> IO[bytes]:
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


class Hashed:
    """A stream that knows the SHA-256 of what was read from it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self.digest.update(block)
        return block
