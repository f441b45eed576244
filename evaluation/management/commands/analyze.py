"""`manage.py analyze FILE`: the report for ratings made anywhere; needs no database."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from evaluation.stats import Plan, analyse
from evaluation.stats.ratings_file import Format, RatingsFile, read_ratings

SHOWN = 50


class Command(BaseCommand):
    help = (
        "Analyse a CSV or JSONL file of ratings: prompt_id, reviewer_id, preference, candidate_side, scores."
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
            "--skip-bad-rows", action="store_true", help="Analyse the rest when some rows are bad."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = self._read(options["file"])
        if found.n_problems and not options["skip_bad_rows"]:
            shown = [f"  line {problem.line}: {problem.reason}" for problem in found.problems[:SHOWN]]
            raise CommandError(
                "\n".join(
                    [f"{found.n_problems:,} rows cannot be used; --skip-bad-rows analyses the rest.", *shown]
                )
            )
        try:
            report = analyse(found.ratings, Plan(margin=options["margin"]))
        except ValueError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(report.to_json(), ensure_ascii=False, indent=2))
        else:
            self.stdout.write(report.sentence)
            for caution in report.cautions:
                self.stdout.write(f"  {caution.message}")

    def _read(self, file: Path) -> RatingsFile:
        kind: Format = "csv" if file.suffix.lower() == ".csv" else "jsonl"
        try:
            with file.open("rb") as raw:
                return read_ratings(raw, kind)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
