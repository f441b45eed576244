"""The report for ratings that were made anywhere: nothing is stored, nothing but the file is needed."""

from typing import Any, BinaryIO

from evaluation.stats import Plan, analyse
from evaluation.stats.ratings_file import Format, read_ratings
from ftplatform.errors import DomainError

SHOWN = 100


def analyse_file(
    *, source: BinaryIO, kind: Format, margin: float = 0.05, skip_bad_rows: bool = False
) -> dict[str, Any]:
    """The report's JSON with `rows` {read, used, skipped, problems}.

    Raises DomainError `bad_rows` with the first lines and reasons when a row cannot be used and `skip_bad_rows` was
    not asked for, `no_ratings` when nothing is left, `invalid_plan` for a margin that makes none.
    """
    try:
        plan = Plan(margin=margin)
    except ValueError as error:
        raise DomainError("invalid_plan", f"This makes no plan: {error}.", status=400) from error
    found = read_ratings(source, kind)
    problems = [{"field": f"line {one.line}", "message": one.reason} for one in found.problems[:SHOWN]]
    if found.n_problems and not skip_bad_rows:
        raise DomainError(
            "bad_rows",
            f"{found.n_problems:,} of {found.n_rows:,} rows cannot be used. Mend them, or ask for the analysis of "
            "the rest.",
            status=400,
            problems=problems,
        )
    if not len(found.ratings):
        raise DomainError(
            "no_ratings", "The file has no rating that can be used.", status=400, problems=problems
        )
    report = analyse(found.ratings, plan).labelled(found.prompt_labels, found.reviewer_labels)
    rows = {
        "read": found.n_rows,
        "used": len(found.ratings),
        "skipped": found.n_problems,
        "problems": problems,
    }
    return {**report.to_json(), "rows": rows}
