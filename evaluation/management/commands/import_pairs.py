"""`manage.py import_pairs FILE`: responses made elsewhere, ready to be compared and reviewed."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from evaluation.comparison.readers import Columns
from evaluation.comparison.services import pair_imports
from ftplatform.accounts.services import acting_admin
from ftplatform.errors import DomainError
from training.intake import selectors
from training.management.commands.import_dataset import explain
from training.models import SavedMapping


def add_column_arguments(parser: ArgumentParser) -> None:
    """Arguments for columns with other names; shared with `import_prompts`."""
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="FIELD=COLUMN",
        help="The column that a field is read from; repeat it for each field.",
    )
    parser.add_argument(
        "--ignore-other-columns", action="store_true", help="Ignore columns that are no field of a row."
    )
    parser.add_argument(
        "--saved-columns", default="", metavar="NAME", help="A mapping saved on the page that maps columns."
    )


def columns_of(options: dict[str, Any], kind: SavedMapping.Kind) -> Columns:
    """The mapping of columns in the arguments. Raises CommandError for a pair that is none."""
    if options["saved_columns"]:
        saved = selectors.saved_mapping(user=acting_admin(), kind=kind.value, name=options["saved_columns"])
        return Columns(saved["names"], ignore_others=True)
    pairs = [pair.partition("=") for pair in options["map"]]
    if wrong := [field for field, sign, column in pairs if not (field and sign and column)]:
        raise CommandError(f"--map {wrong[0]} must be FIELD=COLUMN.")
    names = {field.strip(): column.strip() for field, _, column in pairs}
    return Columns(names, ignore_others=options["ignore_other_columns"])


class Command(BaseCommand):
    help = (
        "Store pairs of responses (JSON lines or CSV: prompt, baseline, candidate, expected, tokens, latency, tags) as "
        "a comparison; bad rows are listed by line and field, and then nothing is stored."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--name", required=True, help="Of the comparison and its prompt set.")
        parser.add_argument(
            "--baseline", required=True, help="Name of the system whose responses are `baseline`."
        )
        parser.add_argument(
            "--candidate", required=True, help="Name of the system whose responses are `candidate`."
        )
        add_column_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        names = {name: options[name] for name in ("name", "baseline", "candidate")}
        try:
            with options["file"].open("rb") as file:
                comparison = pair_imports.create(
                    user=acting_admin(),
                    file=file,
                    source_name=options["file"].name,
                    columns=columns_of(options, SavedMapping.Kind.PAIRS),
                    **names,
                )
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from error
        except DomainError as error:
            raise explain(error) from error
        self.stdout.write(f"{comparison.name}: {comparison.prompt_set.size:,} pairs ({comparison.pk})")
