"""Everything about one report in a zip, to archive, to send to a statistician or to verify."""

import json
import tempfile
import zipfile
from collections.abc import Iterator
from typing import IO

from django.db.models import QuerySet

from evaluation.comparison import text_files
from evaluation.models import Campaign, Pair, Report, ReviewItem
from evaluation.report.exports import document, ratings, scripts
from evaluation.report.exports.markdown import markdown
from evaluation.report.exports.pdf import pdf
from evaluation.review.selectors.counted_ratings import repeated_prompts
from ftplatform.accounts.models import User
from ftplatform.charts import export_png, export_svg
from ftplatform.csv_export import csv_lines

_READ_ME = """{title}

report.html, report.pdf, report.md   the report in three formats
report.json                          the frozen result, for programs
plots/                               its plots
ratings.csv, ratings.parquet         every rating of the campaign, candidate against baseline
pairs.jsonl                          the prompts and both responses; "Import pairs" reads it
"""
_SCRIPTS = """recompute.py, recompute.R            run either beside ratings.csv: it recomputes the headline with public
                                     packages and says whether it agrees with report.json
"""


def bundle(*, report: Report, user: User) -> IO[bytes]:
    """The zip as an open temporary file. Raises DomainError as `ratings.open_table` does for the unblinded table."""
    header, rows = ratings.open_table(campaign=report.campaign, user=user, variant="unblinded")
    file_ = tempfile.TemporaryFile()  # noqa: SIM115 (the response closes it)
    with zipfile.ZipFile(file_, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _documents(report):
            archive.writestr(name, content)
        with archive.open("pairs.jsonl", "w") as file:
            for line in text_files.jsonl(text_files.pair_rows(_pairs(report.campaign))):
                file.write(line.encode())
        with archive.open("ratings.csv", "w") as file:
            for piece in csv_lines(header, rows):
                file.write(piece.encode())
        with tempfile.TemporaryFile() as table:
            ratings.write_parquet(table, report.campaign, header, ratings.rows(report.campaign, "unblinded"))
            table.seek(0)
            with archive.open("ratings.parquet", "w") as file:
                while block := table.read(1 << 20):
                    file.write(block)
    file_.seek(0)
    return file_


def _pairs(campaign: Campaign) -> QuerySet[Pair]:
    shown = campaign.items.filter(kind=ReviewItem.Kind.REAL)
    return Pair.objects.filter(pk__in=shown.values("pair")).order_by("pk")


def _documents(report: Report) -> Iterator[tuple[str, str | bytes]]:
    languages = scripts.LANGUAGES if scripts.available(report) else ()
    yield "README.txt", _READ_ME.format(title=report.campaign.title) + (_SCRIPTS if languages else "")
    yield "report.json", json.dumps(report.result, ensure_ascii=False, indent=2)
    yield "report.md", markdown(report)
    yield "report.html", document.html(report)
    yield "report.pdf", pdf(report)
    for figure in document.figures(report, document.document_of(report)).values():
        yield f"plots/{figure.name}.svg", export_svg(figure.spec)
        yield f"plots/{figure.name}.png", export_png(figure.spec)
    for language in languages:
        yield f"recompute.{language}", scripts.recompute(report, language, repeated_prompts(report.campaign))
