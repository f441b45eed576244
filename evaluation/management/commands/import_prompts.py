"""`manage.py import_prompts FILE`: a prompt set from a file."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from evaluation.comparison.services import prompts
from evaluation.management.commands.import_pairs import add_column_arguments, columns_of
from ftplatform.accounts.models import User
from ftplatform.accounts.services import acting_admin
from ftplatform.errors import DomainError
from training import access as training_access
from training.management.commands.import_dataset import add_file_arguments, explain, mapping_of
from training.models import Dataset, SavedMapping


class Command(BaseCommand):
    help = "Store the rows of a file as a prompt set; bad rows are listed by line and nothing is stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_file_arguments(parser)
        add_column_arguments(parser)
        parser.add_argument("--limit", type=int, help="At most so many rows, from the top.")
        parser.add_argument(
            "--tags",
            default="",
            help="Input fields that become tags, comma-separated, e.g. issue_type,customer.tier; unless told, those "
            "with few values.",
        )
        parser.add_argument(
            "--against",
            default="",
            metavar="DATASET",
            help="Refuse prompts that this dataset trains on: its name (the newest version) or, as on the pages, "
            "'name v2'.",
        )
        parser.add_argument(
            "--leakage-reason",
            default="",
            help="Reason for using prompts that a model was trained on; shown with the results.",
        )
        parser.add_argument(
            "--leave-out-leaked", action="store_true", help="Leave out prompts that the dataset trains on."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user = acting_admin()
        against = _dataset(user, options["against"]) if options["against"] else None
        try:
            with options["file"].open("rb") as file:
                prompt_set = prompts.from_file(
                    user=user,
                    name=options["name"],
                    file=file,
                    source_name=options["file"].name,
                    mapping=mapping_of(options),
                    columns=columns_of(options, SavedMapping.Kind.PROMPTS),
                    limit=options["limit"],
                    tag_fields=[name.strip() for name in options["tags"].split(",") if name.strip()] or None,
                    against=against,
                    leakage_reason=options["leakage_reason"],
                    leave_out_leaked=options["leave_out_leaked"],
                )
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from error
        except DomainError as error:
            raise explain(error) from error
        self.stdout.write(f"{prompt_set.name}: {prompt_set.size} prompts ({prompt_set.pk})")


def _dataset(user: User, reference: str) -> Dataset:
    """The dataset called `said`: its newest version, or the one that ends the name as in `cases v2`."""
    known = training_access.datasets(user=user)
    name, _, version = reference.rpartition(" v")
    dataset = known.filter(name=reference).order_by("-version").first()
    if dataset is None and version.isdecimal():
        dataset = known.filter(name=name, version=int(version[:9])).first()
    if dataset is None:
        raise CommandError(f"No dataset is called {reference}; see the page of datasets.")
    return dataset
