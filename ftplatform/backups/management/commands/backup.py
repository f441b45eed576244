"""`manage.py backup FILE`: the whole installation in one file."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ftplatform.backups import archive
from ftplatform.errors import DomainError

_SECONDS_BETWEEN_LINES = 5


class Command(BaseCommand):
    help = "Write all tables and files into one archive, while the site runs; `restore` reads it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", type=Path, help="Must not exist; gets the mode 0600, for it holds every secret."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"].absolute()
        self._began = self._told = time.monotonic()
        try:
            manifest = archive.write(file, tell=self._tell)
        except DomainError as error:
            raise CommandError(error.detail) from error
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}.") from error
        rows, files = sum(manifest["rows"].values()), len(manifest["members"]) - len(manifest["rows"])
        size = file.stat().st_size / 2**20
        self.stdout.write(f"{file}: {rows:,} rows and {files:,} files, {size:,.1f} MiB.")

    def _tell(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._told < _SECONDS_BETWEEN_LINES or not total:
            return
        self._told = now
        self.stdout.write(f"{what}: {100 * done / total:.0f} %, {now - self._began:.0f} s so far")
