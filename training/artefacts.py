"""Artefact folders that are either complete or absent, and whose files can be verified.

Standard library only, and shared by both sides: pages verify the worker's files without loading machine-learning
packages.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
FORMAT = 1
_BLOCK = 1 << 20


class ArtefactError(Exception):
    """A broken, missing or changed artefact; `code` is stable, the message is one sentence for the user."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex. Reads in blocks, so memory does not grow with the file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def publish(target: Path, write: Callable[[Path], Mapping[str, Any]]) -> str:
    """Call `write` to fill a folder, then publish it as `target` in one step; returns the manifest's SHA-256.

    `write` returns the facts that the manifest records. It fills a folder beside `target`, because a rename is atomic
    only within one file system. The manifest is written last and everything is synced before the folder is renamed,
    so a crash at any point leaves no `target`. Raises ArtefactError("artefact_exists") and any error from `write`.
    """
    if target.exists():
        raise ArtefactError("artefact_exists", f"{target} exists already; an artefact is never overwritten.")
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        facts = write(work)
        files = {name: _describe(work / name) for name in _names(work)}
        _write_synced(work / MANIFEST, {"format": FORMAT, "facts": dict(facts), "files": files})
        digest = file_sha256(work / MANIFEST)
        _sync(work)
        _make_readable(work)
        work.rename(target)
        _sync(target.parent)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return digest


def verify(folder: Path) -> dict[str, Any]:
    """Check every file against the manifest and return the recorded facts.

    Raises ArtefactError with code artefact_missing, artefact_incomplete (no manifest, or unreadable) or
    artefact_changed (a file was added, removed or altered).
    """
    if not folder.is_dir():
        raise ArtefactError(
            "artefact_missing", f"There is no artefact folder at {folder}; choose an existing one."
        )
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        recorded, facts = manifest["files"], manifest["facts"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtefactError(
            "artefact_incomplete",
            f"{folder} has no readable {MANIFEST}, so its training never finished; train again.",
        ) from error
    names = _names(folder)
    if names != sorted(recorded):
        odd = ", ".join(sorted(set(names) ^ set(recorded)))
        raise ArtefactError(
            "artefact_changed", f"{folder} no longer holds the recorded files ({odd}); restore it."
        )
    for name in names:
        if _describe(folder / name) != recorded[name]:
            raise ArtefactError(
                "artefact_changed",
                f"{folder / name} differs from its recorded SHA-256; restore it or train again.",
            )
    return dict(facts)


def _names(folder: Path) -> list[str]:
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in files if name != MANIFEST)


def _describe(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": file_sha256(path)}


def _write_synced(path: Path, content: Mapping[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=2, sort_keys=True, ensure_ascii=False)
        stream.write("\n")


def _make_readable(folder: Path) -> None:
    """Temporary folders and safetensors files are private to this user, but the web process reads them too."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def _sync(folder: Path) -> None:
    """Flush the files and the folder entries, so that a power cut cannot leave a manifest beside empty files."""
    for path in [*folder.rglob("*"), folder]:
        if path.is_dir() and path != folder:
            continue
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
