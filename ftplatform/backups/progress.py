"""Progress lines and error messages of the backup and restore commands."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management.base import CommandError
from django.db import Error

from ftplatform.embedded.errors import CannotStart
from ftplatform.errors import DomainError

_SECONDS_BETWEEN_LINES = 5
# Called with the name of the current step, the amount done and the total.
Progress = Callable[[str, int, int], None]


def every_few_seconds(write: Callable[[str], object]) -> Progress:
    """A Progress that writes one line every few seconds."""
    began = written_at = time.monotonic()

    def report_progress(what: str, done: int, total: int) -> None:
        nonlocal written_at
        now = time.monotonic()
        if now - written_at >= _SECONDS_BETWEEN_LINES and total:
            written_at = now
            write(f"{what}: {100 * done / total:.0f} %, {now - began:.0f} s so far")

    return report_progress


@contextmanager
def in_a_sentence(what: str, file: Path, *, left: str) -> Iterator[None]:
    """Turn an expected error with `file` into a CommandError; `left` says what was left unchanged."""
    try:
        yield
    except DomainError as error:
        raise CommandError(f"{error.detail} {left}") from error
    except CannotStart as error:
        raise CommandError(f"{error} {left}") from error
    except OSError as error:
        raise CommandError(
            f"{what} failed at {error.filename or file}: {error.strerror or error}. {left}"
        ) from error
    except Error as error:
        reason = str(error).partition("\n")[0]
        raise CommandError(f"{what} failed, the database says: {reason}. {left}") from error
    except KeyboardInterrupt as error:
        raise CommandError(f"{what} was stopped. {left}") from error
