"""`manage.py import_ratings FILE`: ratings made elsewhere, as a campaign that can be reported and ranked."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from evaluation.management.reading_options import add_reading_options, explain, reading_from
from evaluation.report.services import rating_imports
from ftplatform.accounts.services import acting_admin
from ftplatform.errors import DomainError


class Command(BaseCommand):
    help = (
        "Store ratings made elsewhere (the files that `analyze` reads) as a closed campaign; if rows have errors, they "
        "are listed and nothing is stored."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--title", required=True, help="Of the campaign and its comparison.")
        parser.add_argument("--baseline", required=True, help="Name of the system that is the baseline.")
        parser.add_argument("--candidate", required=True, help="Name of the system that is the candidate.")
        parser.add_argument(
            "--margin", type=float, default=0.05, help="Smallest win-score difference that matters."
        )
        add_reading_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        try:
            with file.open("rb") as source:
                made = rating_imports.create(
                    user=acting_admin(),
                    title=options["title"],
                    source=source,
                    source_name=file.name,
                    reading=reading_from(options),
                    margin=options["margin"],
                    skip_bad_rows=options["skip_bad_rows"],
                )
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
        except DomainError as error:
            raise explain(error) from error
        self.stdout.write(
            f"{made.title}: {made.ratings_planned:,} ratings of {made.pairs_planned:,} pairs ({made.pk})"
        )
