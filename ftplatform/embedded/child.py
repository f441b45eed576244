"""A service as a child process under its guard."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from ftplatform.embedded.errors import ServiceDied

GUARD = Path(__file__).with_name("guard.py")
GRACE_SECONDS = 5.0
LOG_BYTES = 5 * 2**20


@dataclass(frozen=True)
class Service:
    """The command to run, and the signal that asks it to stop."""

    name: str
    command: list[str]
    stop_signal: signal.Signals = signal.SIGTERM

    @property
    def log(self) -> Path:
        return Path(settings.VAR_DIR) / "logs" / f"{self.name}.log"


class Child:
    """A running service. Its guard stops it when we close the pipe, and when we die with the pipe open."""

    def __init__(self, service: Service, *, lock: int) -> None:
        self.service = service
        with _fresh(service.log).open("ab") as log:
            self._guard = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", str(GUARD)),
                    *(str(GRACE_SECONDS), str(int(service.stop_signal))),
                    *service.command,
                ],
                cwd=settings.BASE_DIR,
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[lock],
            )

    def check(self) -> None:
        """Raise ServiceDied if the service has ended."""
        status = self._guard.poll()
        if status is not None:
            raise ServiceDied(
                f"The service {self.service.name} stopped unexpectedly (exit status {status}); "
                f"its log is {self.service.log}."
            )

    def ask_to_stop(self) -> None:
        if self._guard.stdin:
            self._guard.stdin.close()

    def stop(self) -> None:
        """Ask the service to stop and wait until all its processes are gone. A second call changes nothing."""
        self.ask_to_stop()
        try:
            self._guard.wait(GRACE_SECONDS + 5)
        except subprocess.TimeoutExpired:
            self._guard.kill()  # The service dies with its guard.
            self._guard.wait()


def _environment() -> dict[str, str]:
    """Plain HTTP on the loopback address: no redirect to TLS, and cookies that a browser takes without it."""
    ours = {"HTTPS": "0", "VAR_DIR": str(settings.VAR_DIR), "PYTHONUNBUFFERED": "1"}
    return {**os.environ, **ours, "DJANGO_SETTINGS_MODULE": "ftplatform.settings"}


def _fresh(log: Path) -> Path:
    """Rotate a log that has grown large, so that logs never fill the disk."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    return log
