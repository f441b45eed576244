"""`manage.py restore FILE`: fill an empty installation from a backup."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from ftplatform.backups import restoring
from ftplatform.backups.progress import every_few_seconds, in_a_sentence


class Command(BaseCommand):
    help = "Fill an empty installation from a backup, after checking every part of it; stop the site first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"].absolute()
        with in_a_sentence("Restoring", file, left="Nothing was changed."):
            manifest = restoring.restore(file, report_progress=every_few_seconds(self.stdout.write))
        rows, files = sum(manifest.rows.values()), len(manifest.members) - len(manifest.rows)
        self.stdout.write(
            f"{rows:,} rows and {files:,} files as they were on {manifest.made_at:%Y-%m-%d at %H:%M} UTC."
        )
