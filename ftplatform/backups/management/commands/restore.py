"""`manage.py restore FILE`: fill an empty installation from a backup."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from ftplatform.backups import restoring
from ftplatform.backups.progress import in_a_sentence, telling


class Command(BaseCommand):
    help = "Fill an empty installation from a backup, after checking every part of it; stop the site first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"].absolute()
        with in_a_sentence("Restoring", file, left="Nothing was changed."):
            made = restoring.restore(file, tell=telling(self.stdout.write))
        rows, files = sum(made.rows.values()), len(made.members) - len(made.rows)
        self.stdout.write(
            f"{rows:,} rows and {files:,} files as they were on {made.made_at:%Y-%m-%d at %H:%M} UTC."
        )
