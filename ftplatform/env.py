"""Typed readers of environment variables. A wrong value stops the start and does not fail later."""

import hashlib
import os
import secrets
import tempfile
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def text(name: str, default: str) -> str:
    return os.environ.get(name, default).strip()


def flag(name: str, default: bool) -> bool:
    raw = text(name, "")
    if not raw:
        return default
    if raw.lower() in _TRUE | _FALSE:
        return raw.lower() in _TRUE
    raise ImproperlyConfigured(f"{name}={raw!r} is neither yes nor no; use 1 or 0.")


def integer(name: str, default: int, *, minimum: int = 0) -> int:
    raw = text(name, "")
    if not raw:
        return default
    try:
        value = int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={raw!r} is not a whole number.") from None
    if value < minimum:
        raise ImproperlyConfigured(f"{name}={value} is below {minimum}.")
    return value


def number(name: str, default: float, *, minimum: float = 0.0) -> float:
    raw = text(name, "")
    try:
        value = float(raw) if raw else default
    except ValueError:
        raise ImproperlyConfigured(f"{name}={raw!r} is not a number.") from None
    if not minimum <= value < float("inf"):
        raise ImproperlyConfigured(f"{name}={value} is below {minimum} or without end.")
    return value


def items(name: str, default: list[str]) -> list[str]:
    raw = text(name, "")
    return [part.strip() for part in raw.split(",") if part.strip()] if raw else default


def toml_file(name: str) -> dict[str, Any]:
    """The content of the TOML file that `name` points to, or an empty dictionary if it is not set."""
    file = text(name, "")
    if not file:
        return {}
    try:
        return tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"{name}={file!r} cannot be read as TOML: {error}.") from error


def secret(name: str, file: Path) -> str:
    """The secret called `name`, else the one kept in `file`, which the first start creates with mode 0600."""
    value = text(name, "")
    if value:
        if len(value) < 50:
            raise ImproperlyConfigured(f"{name} must have at least 50 characters.")
        return value
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        kept = _kept_secret(file)
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name} is not set and {file} cannot be written: {error.strerror}."
        ) from error
    if not kept:
        raise ImproperlyConfigured(f"{file} is empty; delete it or set {name}.")
    return kept


def _kept_secret(file: Path) -> str:
    """The secret in `file`, created if missing. Two first starts may race and the disk may be full, so the file
    appears complete or not at all, and the first one wins."""
    if not file.exists():
        with tempfile.NamedTemporaryFile("w", dir=file.parent) as fresh:  # mode 0600
            fresh.write(secrets.token_urlsafe(64))
            fresh.flush()
            with suppress(FileExistsError):
                os.link(fresh.name, file)
    return file.read_text().strip()


def socket(file: Path) -> Path:
    """The path of a unix socket: `file`, or a short substitute if the system would refuse it as too long."""
    if len(os.fsencode(file)) <= 100:
        return file
    digest = hashlib.sha256(os.fsencode(file)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"ftplatform-{os.getuid()}-{digest}" / file.name


def database(name: str, sqlite_file: Path) -> dict[str, Any]:
    """A Django database entry from a `postgres://` URL, else for the embedded SQLite file.

    SQLite takes its write lock at BEGIN (IMMEDIATE), because a deferred transaction that upgrades later fails at
    once instead of waiting. It syncs fully, because an acknowledged rating must survive a power cut.
    """
    url = text(name, "")
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(sqlite_file),
            # A new connection reads the whole schema, and the last one to close writes the log back. This
            # added 14 ms of CPU time to a rating.
            "CONN_MAX_AGE": 60,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
            },
            # A file, not memory: concurrency tests need several connections to one database.
            "TEST": {"NAME": str(sqlite_file.with_name("test.sqlite3"))},
        }
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(f"{name} must begin with postgres://, not {parts.scheme}://.")
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "ftplatform.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        # A `host` in the query is a directory with a unix socket.
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": query,
    }
