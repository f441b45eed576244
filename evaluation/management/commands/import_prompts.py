"""`manage.py import_prompts FILE`: a prompt set from a file."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from evaluation.services import prompts
from ftplatform.accounts.services import acting_admin
from ftplatform.errors import DomainError
from training.management.commands.import_dataset import add_file_arguments, explain, mapping_of


class Command(BaseCommand):
    help = "Store the rows of a file as a prompt set; bad rows are listed by line and nothing is stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_file_arguments(parser)
        parser.add_argument("--limit", type=int, help="At most so many rows, from the top.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with options["file"].open("rb") as file:
                made = prompts.from_file(
                    user=acting_admin(),
                    name=options["name"],
                    file=file,
                    source_name=options["file"].name,
                    mapping=mapping_of(options),
                    limit=options["limit"],
                )
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from error
        except DomainError as error:
            raise explain(error) from error
        self.stdout.write(f"{made.name}: {made.size} prompts ({made.pk})")
