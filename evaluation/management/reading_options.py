"""Options of the commands that read a file of ratings."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from evaluation.report import analyses
from evaluation.stats.ratings_file import Reading
from ftplatform.errors import DomainError


def add_reading_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--map", action="append", default=[], metavar="NEW=OLD", help="Read our column NEW from column OLD."
    )
    parser.add_argument(
        "--answer",
        action="append",
        default=[],
        metavar="ANSWER=TEXT",
        help="The file's text for win, tie, both_bad, loss, left or right.",
    )
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="COLUMN", help="Do not read this column."
    )
    parser.add_argument(
        "--left-is",
        default="",
        choices=("candidate", "baseline"),
        help="Which system left, A and first are in the whole file.",
    )
    parser.add_argument(
        "--scores",
        type=float,
        nargs=2,
        default=(1.0, 10.0),
        metavar=("LOW", "HIGH"),
        help="Range of scores.",
    )
    parser.add_argument("--skip-bad-rows", action="store_true", help="Use the rest when some rows are bad.")


def reading_from(options: dict[str, Any]) -> Reading:
    """Raises DomainError as `analyses.reading_of` does."""
    return analyses.reading_of(
        columns=options["map"],
        answers=options["answer"],
        ignore=options["ignore"],
        left_is=options["left_is"],
        baseline=options["baseline"],
        candidate=options["candidate"],
        score_range=(options["scores"][0], options["scores"][1]),
    )


_HINTS = {
    "bad_rows": "--skip-bad-rows uses the rest.",
    "unreadable_file": "--map NEW=OLD names columns, --answer ANSWER=TEXT answers, --left-is the system on the left, "
    "--baseline and --candidate the systems.",
}


def explain(error: DomainError) -> CommandError:
    """The error with its problems, one a line, and the options that may help."""
    lines = [f"  {one['field']}: {one['message']}" for one in error.problems]
    if error.code == "unreadable_file":
        lines = []  # the sentence has the one problem
    hint = [_HINTS[error.code]] if error.code in _HINTS else []
    return CommandError("\n".join([str(error), *lines, *hint]))
