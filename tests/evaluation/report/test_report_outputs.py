"""Every output of every kind of campaign: it says what the frozen result says, or clearly that there is none."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import zipfile
from typing import Any

import pyarrow.parquet as pq
import pytest
import typst
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from markdown_it import MarkdownIt

from evaluation.comparison import present
from evaluation.models import Campaign, Report
from evaluation.report.document import ReportDocument, build
from evaluation.report.document.model import Cards, Facts, Stats, Table
from evaluation.report.exports.document import document_of, figures
from evaluation.report.exports.pdf import LAYOUT, inputs
from evaluation.stats import Plan, analyse
from ftplatform.text.terms import TERMS
from ftplatform.text.values import verdict_word
from tests import factories
from tests.evaluation import rendered as texts
from tests.evaluation.recomputed import recomputed
from tests.evaluation.report.kinds import KINDS, Made, all_kinds
from tests.evaluation.stats.crossed import make_ratings

pytestmark = pytest.mark.django_db

DOCUMENTS = {"html": b"<!DOCTYPE html>", "md": b"# ", "pdf": b"%PDF-", "json": b"{"}


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), all_kinds(factories.user) as made:
        yield made


@pytest.fixture(params=KINDS)
def made(request, world) -> Made:
    found: Made = world[request.param]
    return found


@pytest.fixture
def site(made) -> "Site":
    return site_of(made)


def site_of(made: Made) -> "Site":
    client = Client()
    client.force_login(made.campaign.created_by)
    return Site(client, made.campaign)


class Site:
    """Requests of the campaign's manager."""

    def __init__(self, client: Client, campaign: Campaign) -> None:
        self.client, self.campaign, self.pk = client, campaign, campaign.pk
        report = campaign.reports.first()
        self.look = report.look if report else 1

    def page(self, name: str, *more: Any) -> Any:
        return self.client.get(reverse(f"evaluation:{name}", args=[self.pk, *more]))

    def file(self, name: str, *more: Any) -> Any:
        return self.page(name, self.look, *more)

    def api(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v1/campaigns/{self.pk}/{path}/", query)


def body(response: Any) -> bytes:
    assert response.status_code == 200, response.content[:500]
    content: bytes = b"".join(response.streaming_content) if response.streaming else response.content
    return content


def refused(response: Any, status: int, code: str) -> None:
    assert response.status_code == status
    if response["Content-Type"].startswith("application/"):
        assert response.json()["code"] == code


def test_the_page(site, made):
    answer = site.page("report")
    if made.report is None:
        return refused(answer, 404, "no_report")
    text = body(answer).decode()
    assert text.count("<h1") == 1
    assert [
        section.name for section in document_of(made.report).sections if f'id="{section.name}"' not in text
    ] == []
    return None


def test_the_api_s_report(site, made):
    answer = site.api("report")
    if made.report is None:
        return refused(answer, 404, "no_report")
    assert json.loads(body(answer)) == made.result
    return None


def test_taking_the_report_again_answers_with_the_same(site, made):
    answer = site.client.post(f"/api/v1/campaigns/{site.pk}/report/")
    if made.report is None:
        return refused(answer, 409, "pilot_not_analysed")
    assert json.loads(body(answer)) == made.result
    return None


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_document(site, made, kind):
    answer, api = site.file("report_file", kind), site.api("export", kind=kind)
    if made.report is None:
        refused(answer, 404, "no_report")
        return refused(api, 404, "no_report")
    content = body(answer)
    assert content.lstrip().startswith(DOCUMENTS[kind])
    assert body(api)[:20] == content[:20]
    if kind == "json":
        assert json.loads(content) == made.result
    return None


@pytest.mark.parametrize("variant", ["blinded", "unblinded"])
def test_the_ratings_as_csv_and_parquet(site, made, variant):
    text = body(site.page("ratings_file", variant, "csv")).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    table = pq.read_table(io.BytesIO(body(site.api("export", kind="parquet", variant=variant))))
    assert len(rows) == table.num_rows == made.ratings
    assert table.column("prompt_id").to_pylist() == [row["prompt_id"] for row in rows]
    if variant == "unblinded" and made.report is not None and not made.result["exclusions"]["applied"]:
        counts = {name: sum(row["preference"] == name for row in rows) for name in ("win", "tie", "loss")}
        primary = made.result["primary"]
        assert counts == {"win": primary["wins"], "tie": primary["ties"], "loss": primary["losses"]}


def test_every_plot_as_svg_and_png(site, made):
    if made.report is None:
        return refused(site.file("report_plot", "preference", "svg"), 404, "no_report")
    names = [chart.name for chart in document_of(made.report).charts()]
    assert ("preference" in names) == made.has_interval
    for name in names:
        assert body(site.file("report_plot", name, "svg")).startswith(b"<svg")
        assert body(site.file("report_plot", name, "png")).startswith(b"\x89PNG")
    return refused(site.file("report_plot", "none", "svg"), 404, "unknown_plot")


def zipped(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def check_zip(files: dict[str, bytes], made: Made) -> None:
    always = {
        "README.txt",
        "report.html",
        "report.pdf",
        "report.md",
        "report.json",
        "pairs.jsonl",
        "ratings.csv",
        "ratings.parquet",
    }
    scripts = {"recompute.py", "recompute.R"}
    plots = {name for name in files if name.startswith("plots/")}
    assert files.keys() == always | plots | (scripts if recomputable(made) else set())
    assert made.report is not None
    assert len(plots) == 2 * len(document_of(made.report).charts())
    assert json.loads(files["report.json"]) == made.result
    assert len(files["ratings.csv"].splitlines()) == 1 + made.ratings
    assert len(files["pairs.jsonl"].splitlines()) == made.campaign.items.filter(kind="real").count()


def recomputable(made: Made) -> bool:
    """Where nothing varies, the interval is an exact one, which no script computes."""
    return made.has_interval and made.result["primary"]["clustered"]["se"] is not None


def test_the_zip(site, made):
    answer, api = site.file("export"), site.api("export", kind="zip")
    if made.report is None:
        refused(answer, 404, "no_report")
        return refused(api, 404, "no_report")
    check_zip(zipped(body(answer)), made)
    assert body(api).startswith(b"PK")
    return None


def test_the_command(made, tmp_path):
    file = tmp_path / "all.zip"
    if made.report is None:
        with pytest.raises(CommandError, match="analys"):
            call_command("export_campaign", str(made.campaign.pk), str(file))
        return
    call_command("export_campaign", str(made.campaign.pk), str(file), stdout=io.StringIO())
    check_zip(zipped(file.read_bytes()), made)


def test_the_script_in_python_agrees_or_there_is_none(site, made, tmp_path):
    answer = site.file("recompute", "py")
    if made.report is None:
        return refused(answer, 404, "no_report")
    if not recomputable(made):
        return refused(answer, 409, "nothing_to_recompute")
    (tmp_path / "ratings.csv").write_bytes(body(site.page("ratings_file", "unblinded", "csv")))
    (tmp_path / "recompute.py").write_bytes(body(answer))
    assert "They agree." in recomputed(tmp_path)
    return None


_R = """
quit <- function(...) NULL
for (folder in strsplit(Sys.getenv("FOLDERS"), ":")[[1]]) {
  setwd(folder)
  sink("said.txt"); source("recompute.R", local = new.env()); sink()
}
"""


def test_the_scripts_in_r_agree(world, tmp_path):
    """In one process, for loading the packages takes longer than all of them."""
    found = shutil.which("Rscript")
    single = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    probe = found and subprocess.run([found, "-e", "library(lmerTest)"], capture_output=True, check=False)
    if not found or not probe or probe.returncode:
        pytest.skip("R with the package lmerTest is not installed")
    folders = []
    for kind, made in world.items():
        if made.report is not None and recomputable(made):
            site = site_of(made)
            folders.append(tmp_path / kind)
            folders[-1].mkdir()
            (folders[-1] / "ratings.csv").write_bytes(body(site.page("ratings_file", "unblinded", "csv")))
            (folders[-1] / "recompute.R").write_bytes(body(site.file("recompute", "R")))
    named = single | {"FOLDERS": ":".join(map(str, folders))}
    done = subprocess.run([found, "-e", _R], capture_output=True, text=True, check=False, env=named)
    assert done.returncode == 0, done.stderr
    said = {folder.name: (folder / "said.txt").read_text() for folder in folders}
    assert len(said) > 8 and [name for name, text in said.items() if "They agree." not in text] == [], said


def rendered(site: Site, report: Report) -> dict[str, str]:
    """Each output that people read, as HTML; the PDF through its own layout."""
    document = document_of(report)
    sources = inputs(document, figures(report, document))
    return {
        "page": body(site.page("report")).decode(),
        "file": body(site.file("report_file", "html")).decode(),
        "markdown": MarkdownIt().enable("table").render(body(site.file("report_file", "md")).decode()),
        "pdf": typst.compile(LAYOUT.read_bytes(), sys_inputs=sources, format="html").decode(),
    }


def test_every_output_says_every_word_and_cell_of_the_document(site, made):
    if made.report is None:
        return
    document = document_of(made.report)
    for output, html in rendered(site, made.report).items():
        on_one_line = output == "markdown"
        text, shown = texts.read(html)
        parts = (
            document.cautions,
            document.sentence,
            document.subtitle,
            document.sections,
            document.appendix,
        )
        said = {texts.squeezed(one) for one in texts.texts(parts, charts=not on_one_line)}
        assert len(said) > 20 and not {one for one in said if one not in text}, output
        assert set(texts.rows(document, on_one_line=on_one_line)) - shown == set(), output
        if output in ("page", "file"):
            html = texts.plain(html)
            assert [
                one.name
                for one in document.charts()
                if one.name != "answers" and texts.squeezed(one.alt) not in html
            ] == []


FACTORS = {"share": 100, "points": 100, "change": 100}


def test_every_figure_is_a_number_of_the_frozen_result(made):
    if made.report is None:
        return
    document = document_of(made.report)
    known = texts.numbers(made.result)
    primary = made.result["primary"]
    shares = {
        primary[name] / primary["n_ratings"]
        for name in ("wins", "ties", "both_bad", "losses")
        if primary["n_ratings"]
    }
    for one in texts.figures(document):
        assert one.value in known | shares, one
        factor = FACTORS.get(one.unit, 1)
        assert texts.says(one.text, one.value, factor), one
        if one.interval:
            assert {one.low, one.high} <= known, one
            first, last = one.interval.split(" to ")
            assert texts.says(first, one.low, factor) and texts.says(last, one.high, factor), one


def test_results_of_the_first_version_still_open(site, made):
    """Whatever is missing is left out; what is left says the same."""
    if made.report is None:
        return
    report = Report.objects.get(pk=made.report.pk)
    for name in (
        "prompts",
        "slices",
        "yes_no",
        "length",
        "exclusions",
        "quality",
        "watch",
        "variation",
        "reviewers",
    ):
        report.result.pop(name)
    for name in (
        "net_win_rate",
        "equivalence_low",
        "equivalence_high",
        "confidence",
        "significance_level",
        "margin",
    ):
        report.result["primary"].pop(name)
    report.save(update_fields=["result"])
    text = texts.read(body(site.page("report")).decode())[0]
    assert texts.squeezed(report.result["sentence"]) in text
    for kind in ("html", "md", "pdf", "json"):
        assert body(site.file("report_file", kind))


def test_rows_with_the_same_content_are_one_prompt(world):
    result = world["repeated_prompts"].result
    assert (result["primary"]["n_prompts"], result["primary"]["n_ratings"]) == (3, 10)


# Labels that say what they are; all others need an explanation.
PLAIN = {
    *(
        "Analysis plan",
        "Baseline",
        "Candidate",
        "Comparison",
        "Computed",
        "Computed by",
        "Prompts",
        "Protocol",
    ),
    *("Criterion", "Outcome", "Slice", "Ratings", "Ratings of", "Reviewers", "Report format", "Responses"),
    *("Training dataset", "Training run", "Rows of the file", "Busiest reviewer", "Candidate longer"),
    *("Mean length, baseline", "Mean length, candidate", "Measured on", "Test of 50\N{NO-BREAK SPACE}%"),
    *("Test", "Stage", "Size", "Value", "Verdict", "Change", "no variation"),
}
# Tables with terms in their rows, and the column that has them.
NAMED_IN_ROWS = {"How the win score is computed": 0, "Other tests, for this panel only": 0, "Effect sizes": 1}


def labels(document: ReportDocument) -> set[str]:
    found = {document.verdict.word}
    for block in document.blocks():
        cards = block.items if isinstance(block, Cards) else (block,)
        found |= {fact.label for card in cards if isinstance(card, Facts | Stats) for fact in card.items}
        if isinstance(block, Table):
            found |= {column.title for column in block.columns}
            if (column := NAMED_IN_ROWS.get(block.title)) is not None:
                found |= {row[column].text for group in block.groups for row in group.rows}
    return found


def test_every_term_is_explained_and_every_explanation_is_used(world):
    reports = [made for made in world.values() if made.report is not None]
    staged = build(analyse(make_ratings(), Plan(extensions=1)).to_json())
    named = set().union(labels(staged), *(labels(document_of(made.report)) for made in reports))
    named |= {*present.TESTS.values(), *present.FIGURE_COLUMNS, *present.SLICE_COLUMNS}
    verdicts = {verdict_word(code) for code in ("better", "worse", "equivalent", "not_worse", "inconclusive")}
    assert (named | verdicts) - PLAIN == set(TERMS)


def test_every_button_of_the_page_has_its_explanation(site, made):
    if made.report is None:
        return
    for page in (body(site.page("report")).decode(), body(site.file("report_file", "html")).decode()):
        targets = re.findall(r'popovertarget="(term-[^"]+)"', page)
        explanations = re.findall(r'<div popover id="(term-[^"]+)"', page)
        assert targets
        assert set(targets) <= set(explanations)
        assert len(explanations) == len(set(explanations)) == len(TERMS)
