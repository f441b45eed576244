"""`manage.py analyze FILE`: the report for ratings made anywhere; needs no database."""

import csv
import json
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from evaluation.management.reading_options import add_reading_options, explain, reading_from
from evaluation.report import analyses
from evaluation.report.document import stored
from evaluation.report.document.next_steps import steps
from evaluation.stats.ratings_file import Problem
from ftplatform.errors import DomainError


class Command(BaseCommand):
    help = (
        "Analyse a file of ratings: CSV, JSON lines, JSON or Parquet with prompt_id, reviewer_id and preference, or an "
        "export of Label Studio, Argilla, Chatbot Arena or LangSmith."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--json", action="store_true", help="The whole report as JSON instead of its sentence."
        )
        parser.add_argument(
            "--margin", type=float, default=0.05, help="Smallest win-score difference that matters."
        )
        parser.add_argument(
            "--bad-rows", type=Path, metavar="CSV", help="Write every bad row's line and reason to this file."
        )
        parser.add_argument("--baseline", default="", help="Name of the system that is the baseline.")
        parser.add_argument("--candidate", default="", help="Name of the system that is the candidate.")
        add_reading_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        try:
            reading = reading_from(options)
            with file.open("rb") as source, _listed(options["bad_rows"]) as on_problem:
                report = analyses.analyse_file(
                    source=source,
                    reading=reading,
                    margin=options["margin"],
                    skip_bad_rows=options["skip_bad_rows"],
                    on_problem=on_problem,
                )
        except OSError as error:
            raise CommandError(
                f"{error.filename or file} cannot be read or written: {error.strerror}."
            ) from error
        except DomainError as error:
            raise explain(error) from error
        if options["json"]:
            self.stdout.write(json.dumps(report, ensure_ascii=False, indent=2, allow_nan=False))
        else:
            self.stdout.write(report["sentence"])
            for caution in report["cautions"]:
                self.stdout.write(f"  {caution['message']}")
            for step in steps(stored.read(report)):
                self.stdout.write(f"  {step.title}: {' '.join(step.lines)}")
            self.stdout.write(f"  {analyses.how_read(report['rows'])}")


@contextmanager
def _listed(path: Path | None) -> Iterator[Any]:
    """A function that writes every bad row to a list while it is open; None without a list."""
    if path is None:
        yield None
        return
    with path.open("w", encoding="utf-8", newline="") as target:
        rows = csv.writer(target)
        rows.writerow(["line", "reason"])

        def write(problem: Problem) -> None:
            rows.writerow([problem.line, problem.reason])

        yield write
