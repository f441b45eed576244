"""Update the database and the static files before the services start. Quick when nothing has changed."""

import hashlib
import subprocess
import sys
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import DatabaseError, connection

from ftplatform.embedded.errors import CannotStart


def migrate() -> None:
    try:
        call_command("migrate", interactive=False, verbosity=0)
    except (DatabaseError, OSError) as error:
        raise CannotStart(f"The database cannot be used: {_first_line(error)}.") from error
    finally:
        connection.close()


def collect_static_files() -> None:
    """Collect static files when a source was added, removed or changed.

    This runs in a separate process, because settings choose the storage before the first manifest exists.
    """
    mark = Path(settings.STATIC_ROOT) / "sources.sha256"
    sources = _fingerprint()
    if mark.exists() and mark.read_text() == sources:
        return
    done = subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--no-input", "--clear", "--verbosity", "0"],
        cwd=settings.BASE_DIR,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise CannotStart(f"The static files cannot be collected: {reason}")
    mark.write_text(sources)


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
