"""`manage.py import_pairs FILE`: responses made elsewhere, ready to be compared and reviewed."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from evaluation.comparison.services import pair_imports
from ftplatform.accounts.services import acting_admin
from ftplatform.errors import DomainError
from training.management.commands.import_dataset import explain


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

    def handle(self, *args: Any, **options: Any) -> None:
        names = {name: options[name] for name in ("name", "baseline", "candidate")}
        try:
            with options["file"].open("rb") as file:
                comparison = pair_imports.create(
                    user=acting_admin(), file=file, source_name=options["file"].name, **names
                )
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from error
        except DomainError as error:
            raise explain(error) from error
        self.stdout.write(f"{comparison.name}: {comparison.prompt_set.size:,} pairs ({comparison.pk})")
