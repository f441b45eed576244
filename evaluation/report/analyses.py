"""Analyse a ratings file that belongs to no campaign. Nothing is stored."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from evaluation.stats import Plan, analyse
from evaluation.stats.ratings import LOSS, WIN
from evaluation.stats.ratings_file import Format, Problem, RatingsFile, read_ratings
from evaluation.stats.reviewers import LEFT, RIGHT, TIE, ReviewerQuality, ReviewerWork, reviewer_quality
from evaluation.stats.summaries import Caution
from evaluation.stats.wording import counted
from ftplatform.errors import DomainError

SHOWN = 100


def analyse_file(
    *,
    source: BinaryIO,
    kind: Format,
    margin: float = 0.05,
    score_range: tuple[float, float] = (1.0, 10.0),
    skip_bad_rows: bool = False,
    on_problem: Callable[[Problem], None] | None = None,
) -> dict[str, Any]:
    """Analyse the ratings in `source` and return the report's JSON, with `rows` {read, used, skipped, problems}.

    `margin` is a difference of win scores (0 to 1); `score_range` is the lowest and highest valid score.
    Raises DomainError `bad_rows` with the first lines and reasons if a row is invalid and `skip_bad_rows` is
    false, `no_ratings` if no valid row is left, `invalid_plan` for an invalid margin, and `invalid_scores`
    for an empty score range.
    """
    try:
        plan = Plan(margin=margin)
    except ValueError as error:
        raise DomainError("invalid_plan", f"This makes no plan: {error}.", status=400) from error
    if not score_range[0] < score_range[1]:
        raise DomainError("invalid_scores", "The lowest score must lie below the highest.", status=400)
    found = read_ratings(source, kind, score_range=score_range, on_problem=on_problem)
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
    quality = _quality(found)
    report = analyse(found.ratings, plan, quality=quality)
    report = report.labelled(found.prompt_labels, found.reviewer_labels)
    if found.n_problems:
        report = replace(report, cautions=(_skipped(found), *report.cautions))
    rows = {
        "read": found.n_rows,
        "used": len(found.ratings),
        "skipped": found.n_problems,
        "problems": problems,
    }
    return {**report.to_json(), "rows": rows}


def _skipped(found: RatingsFile) -> Caution:
    return Caution(
        "rows_skipped",
        f"{counted(found.n_problems, 'problem')} in {found.n_rows:,} rows: as was asked, only the "
        f"{len(found.ratings):,} good rows were analysed. If the others are bad for a reason that has to do with the "
        "answer, the result is biased.",
    )


def _quality(found: RatingsFile) -> tuple[ReviewerQuality, ...]:
    """Compute quality flags from the file. Reading speed needs word counts and times; without them it is unknown."""
    ratings, unknown = found.ratings, np.full(len(found.ratings), np.nan)
    baseline, candidate = ratings.lengths or (unknown, unknown)
    left = ratings.candidate_left
    toward_candidate = np.where(ratings.outcome == WIN, 1, np.where(ratings.outcome == LOSS, -1, 0))
    shown = np.where(left, toward_candidate, -toward_candidate)
    work = ReviewerWork(
        reviewer=ratings.reviewer,
        prompt=ratings.prompt,
        preference=np.where(shown > 0, LEFT, np.where(shown < 0, RIGHT, TIE)),
        first_left=left,
        active_ms=unknown if found.active_ms is None else found.active_ms,
        words=baseline + candidate,
        scores=ratings.criteria,
    )
    names = found.reviewer_labels
    return tuple(replace(one, reviewer=names[int(one.reviewer)]) for one in reviewer_quality(work))
