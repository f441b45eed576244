"""`manage.py restore FILE`: an empty installation becomes what a backup was made of."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ftplatform.backups import restoring
from ftplatform.errors import DomainError


class Command(BaseCommand):
    help = "Fill an empty installation from a backup, after checking every part of it; stop the site first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        try:
            manifest = restoring.restore(file, tell=self.stdout.write)
        except DomainError as error:
            raise CommandError(f"{error.detail} Nothing was changed.") from error
        except OSError as error:
            raise CommandError(
                f"{file} cannot be restored: {error.strerror}. Nothing was changed."
            ) from error
        self.stdout.write(f"Restored as it was on {manifest['made_at'][:16].replace('T', ' at ')} UTC.")
