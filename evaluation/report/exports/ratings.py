"""The counted ratings of a campaign as a table.

The blinded table shows the sides as reviewers saw them; the unblinded table is for analysis. Its columns
begin with those that `manage.py analyze` reads, so analysing an export gives the report's figures.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import IO, Any, Literal, cast, get_args

import pyarrow as pa
import pyarrow.parquet as pq
from django.http import FileResponse, HttpResponseBase

from evaluation import access
from evaluation.models import Campaign
from evaluation.review.selectors import counted_ratings
from evaluation.stats.ratings_file import EXPORT_COLUMNS
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.csv_export import csv_response
from ftplatform.errors import DomainError

Variant = Literal["blinded", "unblinded"]
_ROW_GROUP = 10_000
_COLUMN_SIDES = ("_baseline", "_candidate", "_left", "_right")
_TAIL = EXPORT_COLUMNS


def open_table(*, campaign: Campaign, user: User, variant: Variant) -> tuple[list[str], Iterator[list[Any]]]:
    """Header, and a stream of rows in order of submission. The download is logged.

    Raises DomainError `campaign_running` for the unblinded variant before the campaign has closed, and
    `reviewing_closed_report` if the user reviews the campaign.
    """
    access.require_not_reviewing(campaign=campaign, user=user)
    if variant == "unblinded" and not campaign.is_over:
        raise DomainError(
            "campaign_running",
            "The unblinded ratings come out once the campaign has closed; the blinded ones can be had at any time.",
        )
    audit.record(actor=user, action="campaign.export", target=campaign, variant=variant)
    header = _header(campaign, variant)
    return header, rows(campaign, variant)


def download(*, campaign: Campaign, user: User, variant: str, kind: str) -> HttpResponseBase:
    """The table as a download. `kind` is csv or parquet.

    Raises DomainError as `open_table` does, and `unknown_format`.
    """
    if variant not in get_args(Variant) or kind not in ("csv", "parquet"):
        raise DomainError(
            "unknown_format", "Ratings come blinded or unblinded, as csv or as parquet.", status=404
        )
    header, table = open_table(campaign=campaign, user=user, variant=cast(Variant, variant))
    name = f"ratings-{variant}.{kind}"
    if kind == "csv":
        return csv_response(name, header, table)
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the response closes it)
    write_parquet(file, campaign, header, table)
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=name)


def write_parquet(
    file: IO[bytes], campaign: Campaign, header: Sequence[str], rows: Iterator[Sequence[Any]]
) -> None:
    """Write the campaign's table as Parquet, with one row group in memory at a time."""
    scores = {f"{name}{side}" for name in _keys(campaign, "scale") for side in _COLUMN_SIDES}
    schema = pa.schema([(name, _arrow_type(name, scores)) for name in header])
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while group := list(islice(rows, _ROW_GROUP)):
            columns = [[row[place] for row in group] for place in range(len(header))]
            arrays = [
                pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _arrow_type(name: str, scores: set[str]) -> Any:
    if name == "active_ms":
        return pa.int64()
    if name == "simulated":
        return pa.bool_()
    return pa.float64() if name in scores else pa.string()


def _header(campaign: Campaign, variant: Variant) -> list[str]:
    sides = ("baseline", "candidate") if variant == "unblinded" else ("left", "right")
    names = [*_keys(campaign, "scale"), *_keys(campaign, "yes_no")]
    scores = [f"{name}_{side}" for name in names for side in sides]
    middle = ["candidate_side"] if variant == "unblinded" else []
    return ["prompt_id", "reviewer_id", "preference", *middle, *scores, *_TAIL]


def rows(campaign: Campaign, variant: Variant) -> Iterator[list[Any]]:
    """The rows alone, for callers that have already called `open_table`."""
    scales, questions = _keys(campaign, "scale"), _keys(campaign, "yes_no")
    stored = counted_ratings.counted_ratings(campaign).values_list(
        "assignment__item__pair__prompt__key",
        "assignment__reviewer__number",
        "assignment__reviewer__external_id",
        "preference",
        "assignment__candidate_left",
        "scores",
        "assignment__reviewer__is_simulated",
        "answers",
        "comment",
        "active_ms",
        "submitted_at",
    )
    for key, number, name, preference, left, scores, simulated, answers, *rest, at in stored.iterator(
        chunk_size=2000
    ):
        answers_json = json.dumps(answers, ensure_ascii=False) if answers else None
        tail = [simulated, answers_json, *rest, at.isoformat(timespec="seconds")]
        reviewer = counted_ratings.reviewer_label(campaign, number, name)
        if variant == "unblinded":
            sides = ("right", "left") if left else ("left", "right")
            side = ("left" if left else "right") if campaign.sides_known else None
            middle = [counted_ratings.outcome_of(preference, left), side]
        else:
            sides, middle = ("left", "right"), [preference]
        values: list[float | str | None] = [
            _number((scores.get(name) or {}).get(side)) for name in scales for side in sides
        ]
        values += [_word((answers.get(name) or {}).get(side)) for name in questions for side in sides]
        yield [key, reviewer, *middle, *values, *tail]


def _keys(campaign: Campaign, kind: str) -> list[str]:
    return counted_ratings.side_fields(campaign, kind)


def _word(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
