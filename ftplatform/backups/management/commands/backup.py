"""`manage.py backup FILE`: the whole installation in one file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from ftplatform.backups import archive
from ftplatform.backups.progress import every_few_seconds, in_a_sentence


class Command(BaseCommand):
    help = "Write all tables and files into one archive, while the site runs; `restore` reads it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", type=Path, help="Must not exist; gets the mode 0600, for it holds every secret."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"].absolute()
        with in_a_sentence("The backup", file, left="No backup was made."):
            manifest = archive.write(file, report_progress=every_few_seconds(self.stdout.write))
        rows, files = sum(manifest["rows"].values()), len(manifest["members"]) - len(manifest["rows"])
        size = file.stat().st_size / 2**20
        self.stdout.write(f"{file}: {rows:,} rows and {files:,} files, {size:,.1f} MiB.")
