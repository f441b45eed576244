"""`manage.py import_dataset FILE`: the upload page's function on the command line."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ftplatform.accounts.services import acting_admin
from ftplatform.errors import DomainError
from training.intake import schemas, selectors, sentences
from training.intake.column_mapping import ColumnMapping
from training.intake.forms import column_pairs
from training.intake.services import datasets
from training.models import SavedMapping

SHOWN = 50
_COLUMNS = (
    *("instruction", "input", "output", "id", "group", "split"),
    *("messages", "tools", "system", "history"),
)


def add_file_arguments(parser: ArgumentParser) -> None:
    """Arguments for the file and its column mapping; shared with `import_prompts`."""
    parser.add_argument(
        "file", type=Path, help="JSON, CSV or Parquet, also packed; unusual column names need a mapping."
    )
    parser.add_argument("--name", required=True)
    parser.add_argument(
        "--instruction", default="", help="Mapping: what the model is asked to do, for every row."
    )
    parser.add_argument(
        "--input", default="", help="Mapping: key=column pairs, comma-separated, e.g. query=text."
    )
    parser.add_argument(
        "--output", default="", help="Mapping: key=column pairs, comma-separated, e.g. intent=category."
    )
    for name in _COLUMNS:
        parser.add_argument(
            f"--{name}-column", default="", metavar="COLUMN", help=f"Mapping: the column that is the {name}."
        )
    parser.add_argument("--mapping", default="", metavar="NAME", help="A mapping saved on the upload page.")
    parser.add_argument(
        "--json-cells", action="store_true", help="Mapping: input and output columns hold JSON as text."
    )


def saved_mapping(name: str) -> ColumnMapping:
    """The mapping that was saved under this name on the page."""
    kind = SavedMapping.Kind.DATASET.value
    return ColumnMapping(**selectors.saved_mapping(user=acting_admin(), kind=kind, name=name))


def mapping_of(options: dict[str, Any]) -> ColumnMapping | None:
    if options["mapping"]:
        return saved_mapping(options["mapping"])
    columns = {f"{name}_column": options[f"{name}_column"] for name in _COLUMNS}
    if not (options["instruction"] or options["input"] or options["output"] or any(columns.values())):
        return None
    inputs, outputs = column_pairs(options["input"]), column_pairs(options["output"])
    return ColumnMapping(options["instruction"], inputs, outputs, json_cells=options["json_cells"], **columns)


def explain(error: DomainError) -> CommandError:
    """The error with its first problems, line by line."""
    shown = [f"  {_place(item)}: {item['message']}" for item in error.problems[:SHOWN]]
    more = len(error.problems) - SHOWN
    return CommandError("\n".join([error.detail, *shown, *([f"  … and {more:,} more"] if more > 0 else [])]))


def _place(problem: dict[str, Any]) -> str:
    line = f"line {problem['line']}" if "line" in problem else ""
    return ", ".join(part for part in (line, problem.get("field", "")) if part) or "file"


class Command(BaseCommand):
    help = "Store a file as the next version of a dataset; bad rows are listed by line and nothing is stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_file_arguments(parser)
        parser.add_argument(
            "--held-out", type=float, default=10, help="Rows kept for validation, in percent."
        )
        parser.add_argument("--test", type=float, default=0, help="Rows kept for comparisons, in percent.")
        parser.add_argument("--schema", type=Path, help="JSON Schema that every expected output must fit.")
        parser.add_argument("--skip-bad-rows", action="store_true", help="Import the good rows only.")
        parser.add_argument("--problems", type=Path, help="Where to write every problem, as CSV.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            schema = schemas.parse(options["schema"].read_text("utf-8")) if options["schema"] else None
            with options["file"].open("rb") as file:
                dataset = datasets.create(
                    user=acting_admin(),
                    name=options["name"],
                    file=file,
                    source_name=options["file"].name,
                    mapping=mapping_of(options),
                    validation_share=options["held_out"] / 100,
                    test_share=options["test"] / 100,
                    schema=schema,
                    skip_bad_rows=options["skip_bad_rows"],
                    report=options["problems"],
                )
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(
                f"{getattr(error, 'filename', options['schema'])} cannot be read: {error}."
            ) from error
        except DomainError as error:
            raise explain(error) from error
        for sentence in sentences.reading(dataset.facts["source"]):
            self.stdout.write(sentence)
        skipped = dataset.facts["skipped"]["rows"]
        self.stdout.write(
            f"{dataset}: {dataset.train_rows} rows to train on, {dataset.validation_rows} for validation, "
            f"{dataset.test_rows} for comparisons{f', {skipped} bad rows left out' if skipped else ''} ({dataset.pk})"
        )
