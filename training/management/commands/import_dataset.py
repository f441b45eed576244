"""`manage.py import_dataset FILE`: what the upload page does, from the command line."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ftplatform.accounts.services import acting_admin
from ftplatform.errors import DomainError
from training.forms import column_pairs
from training.services import datasets
from training.services.rows import ColumnMapping

SHOWN = 50


def add_file_arguments(parser: ArgumentParser) -> None:
    """The file and how its columns map; shared with `import_prompts`."""
    parser.add_argument("file", type=Path, help="JSON lines, or CSV with the options below.")
    parser.add_argument("--name", required=True)
    parser.add_argument(
        "--instruction", default="", help="CSV: what the model is asked to do, for every row."
    )
    parser.add_argument(
        "--input", default="", help="CSV: key=column pairs, comma-separated, e.g. query=text."
    )
    parser.add_argument(
        "--output", default="", help="CSV: key=column pairs, comma-separated, e.g. intent=category."
    )


def mapping_of(options: dict[str, Any]) -> ColumnMapping | None:
    if not options["input"] and not options["output"]:
        return None
    return ColumnMapping(
        options["instruction"], column_pairs(options["input"]), column_pairs(options["output"])
    )


def explain(error: DomainError) -> CommandError:
    """The error with its first problems, line by line."""
    shown = [f"  line {item['line']}: {item['message']}" for item in error.problems[:SHOWN]]
    more = len(error.problems) - SHOWN
    return CommandError("\n".join([error.detail, *shown, *([f"  … and {more:,} more"] if more > 0 else [])]))


class Command(BaseCommand):
    help = "Store a file as the next version of a dataset; bad rows are listed by line and nothing is stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_file_arguments(parser)
        parser.add_argument(
            "--held-out", type=float, default=10, help="Rows held out for validation, in percent."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with options["file"].open("rb") as file:
                made = datasets.create(
                    user=acting_admin(),
                    name=options["name"],
                    file=file,
                    source_name=options["file"].name,
                    mapping=mapping_of(options),
                    validation_share=options["held_out"] / 100,
                )
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from error
        except DomainError as error:
            raise explain(error) from error
        self.stdout.write(
            f"{made}: {made.train_rows} rows to train on, {made.validation_rows} held out ({made.pk})"
        )
