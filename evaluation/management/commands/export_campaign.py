"""`manage.py export_campaign CAMPAIGN FILE.zip`: everything of a report in one file."""

import shutil
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.http import Http404

from evaluation import access
from evaluation.report.exports.bundle import bundle
from evaluation.report.selectors import reports
from ftplatform.accounts.services import acting_admin
from ftplatform.errors import DomainError


class Command(BaseCommand):
    help = "Write a campaign's report in all its forms, the ratings, the plots and the scripts into a zip."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("campaign", type=UUID)
        parser.add_argument("file", type=Path)
        parser.add_argument("--look", type=int, help="Which look; the latest unless told.")

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        try:
            user = acting_admin()
            campaign = access.campaign(user=user, pk=options["campaign"])
            report = reports.latest_report(user=user, campaign=campaign)
            if options["look"]:
                report = reports.report(user=user, campaign=campaign, look=options["look"])
            with bundle(report=report, user=user) as archive, file.open("xb") as out:
                shutil.copyfileobj(archive, out)
        except Http404 as error:
            raise CommandError("There is no such campaign, or no such look at it.") from error
        except DomainError as error:
            raise CommandError(error.detail) from error
        except FileExistsError as error:
            raise CommandError(f"{file} exists already; nothing was written over it.") from error
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}.") from error
        self.stdout.write(f"{file} holds look {report.look} of “{campaign.title}”.")
