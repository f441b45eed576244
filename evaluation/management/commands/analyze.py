"""`manage.py analyze FILE`: the report for ratings made anywhere; needs no database."""

import csv
import json
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from evaluation.report import analyses
from evaluation.stats.ratings_file import Format, Problem
from ftplatform.errors import DomainError

KINDS: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


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
            "--scores",
            type=float,
            nargs=2,
            default=(1.0, 10.0),
            metavar=("LOW", "HIGH"),
            help="Range of scores.",
        )
        parser.add_argument(
            "--skip-bad-rows", action="store_true", help="Analyse the rest when some rows are bad."
        )
        parser.add_argument(
            "--bad-rows", type=Path, metavar="CSV", help="Write every bad row's line and reason to this file."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        kind = KINDS.get(file.suffix.lower())
        if kind is None:
            raise CommandError(f"{file.name} must end in {', '.join(KINDS)}, so that its format is known.")
        try:
            with file.open("rb") as source, _listed(options["bad_rows"]) as on_problem:
                report = analyses.analyse_file(
                    source=source,
                    kind=kind,
                    margin=options["margin"],
                    score_range=(options["scores"][0], options["scores"][1]),
                    skip_bad_rows=options["skip_bad_rows"],
                    on_problem=on_problem,
                )
        except OSError as error:
            raise CommandError(
                f"{error.filename or file} cannot be read or written: {error.strerror}."
            ) from error
        except DomainError as error:
            raise CommandError(_message(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(report, ensure_ascii=False, indent=2, allow_nan=False))
        else:
            self.stdout.write(report["sentence"])
            for caution in report["cautions"]:
                self.stdout.write(f"  {caution['message']}")


@contextmanager
def _listed(path: Path | None) -> Iterator[Any]:
    """What is told of every bad row, while the list is open; None without a list."""
    if path is None:
        yield None
        return
    with path.open("w", encoding="utf-8", newline="") as target:
        rows = csv.writer(target)
        rows.writerow(["line", "reason"])

        def write(problem: Problem) -> None:
            rows.writerow([problem.line, problem.reason])

        yield write


def _message(error: DomainError) -> str:
    lines = [f"  {one['field']}: {one['message']}" for one in error.problems]
    if error.code == "bad_rows":
        lines.append("--skip-bad-rows analyses the rest; --bad-rows FILE lists all of them.")
    return "\n".join([str(error), *lines])
