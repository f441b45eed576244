"""Analyse a ratings file that belongs to no campaign. Nothing is stored."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, BinaryIO, get_args

import numpy as np

from evaluation.stats import Plan, analyse
from evaluation.stats.ratings import LOSS, WIN
from evaluation.stats.ratings_file import FileError, Problem, RatingsFile, Reading, read_ratings
from evaluation.stats.ratings_words import ANSWERS, Role
from evaluation.stats.reviewers import (
    LEFT,
    RIGHT,
    TIE,
    ReviewerQuality,
    ReviewerWork,
    reviewer_quality,
    without_side,
)
from evaluation.stats.summaries import Caution
from evaluation.stats.wording import counted
from ftplatform.errors import DomainError

SHOWN = 100
_MOST_NAMES = 10


def reading_of(
    *,
    columns: Iterable[str] = (),
    answers: Iterable[str] = (),
    ignore: Iterable[str] = (),
    left_is: str = "",
    baseline: str = "",
    candidate: str = "",
    score_range: tuple[float, float] = (1.0, 10.0),
) -> Reading:
    """How to read a file, from the texts of options: `columns` as OURS=THEIRS and `answers` as ANSWER=TEXT.

    Raises DomainError `invalid_mapping`, `same_model` and `invalid_scores`.
    """
    if left_is and left_is not in get_args(Role):
        raise DomainError("invalid_mapping", "Left is the candidate or the baseline.", status=400)
    if bool(baseline.strip()) != bool(candidate.strip()):
        raise DomainError("invalid_mapping", "Name both systems: the baseline and the candidate.", status=400)
    if baseline.strip() and baseline.strip() == candidate.strip():
        raise DomainError("same_model", "Give the two systems different names.", status=400)
    if not score_range[0] < score_range[1]:
        raise DomainError("invalid_scores", "The lowest score must lie below the highest.", status=400)
    said = _pairs(answers, "ANSWER=TEXT")
    if unknown := sorted(set(said) - set(ANSWERS)):
        raise DomainError(
            "invalid_mapping",
            f"{', '.join(unknown)} is not an answer; choose from {', '.join(ANSWERS)}.",
            status=400,
        )
    return Reading(
        columns=_pairs(columns, "OURS=THEIRS"),
        answers=said,
        ignore=frozenset(name.strip() for name in ignore),
        left_is=left_is or None,  # type: ignore[arg-type]
        baseline=baseline.strip(),
        candidate=candidate.strip(),
        score_range=score_range,
    )


def _pairs(texts: Iterable[str], form: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not (name and sign and value) or name in found:
            raise DomainError(
                "invalid_mapping",
                f"Write {form}, each name once; this is “{text.strip()[:100]}”.",
                status=400,
            )
        found[name] = value
    return found


def read_file(
    *,
    source: BinaryIO,
    reading: Reading,
    skip_bad_rows: bool = False,
    with_texts: bool = False,
    on_problem: Callable[[Problem], None] | None = None,
) -> RatingsFile:
    """The ratings of a file. `source` must be seekable.

    Raises DomainError `unreadable_file` for a file that cannot be read at all, `bad_rows` with the first lines and
    reasons if a row is invalid and `skip_bad_rows` is false, `no_ratings` if no valid row is left.
    """
    try:
        found = read_ratings(source, reading, with_texts=with_texts, on_problem=on_problem)
    except FileError as error:
        where = {"field": f"line {error.line}", "message": error.reason}
        raise DomainError(
            "unreadable_file", f"The file cannot be read: {error.reason}.", status=400, problems=[where]
        ) from error
    problems = _listed(found)
    if found.n_bad and not skip_bad_rows:
        raise DomainError(
            "bad_rows",
            f"{found.n_bad:,} of {found.n_rows:,} rows cannot be used. Correct them, or skip rows with errors.",
            status=400,
            problems=problems,
        )
    if not len(found.ratings):
        raise DomainError(
            "no_ratings", "The file has no rating that can be used.", status=400, problems=problems
        )
    return found


def _listed(found: RatingsFile) -> list[dict[str, str]]:
    return [{"field": f"line {one.line}", "message": one.reason} for one in found.problems[:SHOWN]]


def analyse_file(
    *,
    source: BinaryIO,
    reading: Reading | None = None,
    margin: float = 0.05,
    skip_bad_rows: bool = False,
    on_problem: Callable[[Problem], None] | None = None,
) -> dict[str, Any]:
    """Analyse the ratings in `source` and return the report's JSON, with `rows`: how the file was read.

    `margin` is a difference of win scores (0 to 1). Raises DomainError as `read_file` does, and `invalid_plan` for an
    invalid margin.
    """
    reading = reading or Reading()
    try:
        plan = Plan(
            margin=margin,
            candidate_name=reading.candidate or "the candidate",
            baseline_name=reading.baseline or "the baseline",
            frozen=False,
        )
    except ValueError as error:
        raise DomainError("invalid_plan", f"The plan is not valid: {error}.", status=400) from error
    found = read_file(source=source, reading=reading, skip_bad_rows=skip_bad_rows, on_problem=on_problem)
    ratings = replace(found.ratings, sides_known=found.sides_known)
    if found.cluster is not None:
        column = reading.columns.get("cluster", "cluster")
        ratings = replace(ratings, slices={**ratings.slices, column: found.cluster})
        plan = replace(plan, cluster=column)
    report = analyse(ratings, plan, quality=_quality(found))
    report = report.labelled(found.prompt_labels, found.reviewer_labels)
    report = replace(report, cautions=(*_cautions(found), *report.cautions))
    return {**report.to_json(), "rows": rows_of(found, reading)}


def rows_of(found: RatingsFile, reading: Reading) -> dict[str, Any]:
    """How a file was read, as JSON."""
    cluster = None
    if found.cluster is not None:
        cluster = {"column": reading.columns.get("cluster", "cluster"), "values": len(found.cluster.labels)}
    return {
        "read": found.n_rows,
        "used": len(found.ratings),
        "skipped": found.n_bad,
        "other_models": found.n_other,
        "blank": found.n_blank,
        "format": found.format,
        "encoding": found.encoding,
        "ignored_columns": list(found.ignored),
        "sides_unknown": int((~found.side_known).sum()),
        "cluster": cluster,
        "problems": _listed(found),
    }


def _cautions(found: RatingsFile) -> Iterator[Caution]:
    """Cautions about the file itself."""
    if found.n_bad:
        yield Caution(
            "rows_skipped",
            f"{found.n_bad:,} of {found.n_rows:,} rows have errors and were skipped, as requested. If the reason has "
            "to do with the answer, the result is biased.",
        )
    if unknown := int((~found.side_known).sum()):
        yield Caution(
            "sides_unknown",
            f"{unknown:,} of {len(found.ratings):,} ratings do not say on which side the candidate was, so the "
            "effect of the side was not checked.",
        )
    if found.alike:
        groups = "; ".join(" and ".join(repr(name) for name in group) for group in found.alike[:_MOST_NAMES])
        more = f"; {len(found.alike) - _MOST_NAMES:,} more" if len(found.alike) > _MOST_NAMES else ""
        yield Caution(
            "reviewers_alike",
            f"{counted(len(found.alike), 'group')} of reviewer names differ in case or spaces only and count as "
            f"different people: {groups}{more}.",
        )


def _quality(found: RatingsFile) -> tuple[ReviewerQuality, ...]:
    """Compute quality flags from the file. Reading speed needs word counts and times; without them it is unknown. A
    preference for a side needs the sides."""
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
    quality = (replace(one, reviewer=names[int(one.reviewer)]) for one in reviewer_quality(work))
    return tuple(quality if found.sides_known else map(without_side, quality))


def how_read(rows: Mapping[str, Any]) -> str:
    """How a file was read, as one line."""
    encoding = f" ({rows['encoding']})" if rows["encoding"] else ""
    parts = [f"{rows['format']}{encoding}", f"{rows['used']:,} of {rows['read']:,} rows used"]
    if rows["other_models"]:
        parts.append(f"{rows['other_models']:,} rows of other models left out")
    if rows["blank"]:
        parts.append(f"{counted(rows['blank'], 'blank line')} skipped")
    if cluster := rows["cluster"]:
        parts.append(f"{cluster['values']:,} clusters by {cluster['column']}")
    if rows["ignored_columns"]:
        parts.append(f"columns ignored: {', '.join(rows['ignored_columns'])}")
    return "Read as " + "; ".join(parts) + "."
