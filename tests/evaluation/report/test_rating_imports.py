"""Ratings made elsewhere become a campaign that is reported, ranked and exported, and labelled everywhere."""

import io
import json
import zipfile
from typing import Any
from urllib.parse import urlencode

import pyarrow.parquet as pq
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse

from evaluation.models import Campaign, Comparison, PromptSet, Reviewer
from evaluation.report import analyses
from evaluation.report.exports import document, ratings
from evaluation.report.exports.bundle import bundle
from evaluation.report.exports.markdown import markdown
from evaluation.report.selectors.ranking import ranking
from evaluation.report.services import rating_imports, reports
from evaluation.stats.ratings_file import Reading, read_ratings
from ftplatform.accounts.services import issue_token
from ftplatform.csv_export import csv_lines
from ftplatform.errors import DomainError
from tests import factories
from training.models import ModelVersion

pytestmark = pytest.mark.django_db

SYSTEMS: dict[str, Any] = {"baseline": "Kea 1", "candidate": "Kea 2"}
HEADER = "prompt_id,reviewer_id,preference,candidate_side,tone_baseline,tone_candidate,solved_baseline,solved_candidate"
ROWS = [
    f"p{p},{who},{('win', 'win', 'tie', 'loss')[(p + r) % 4]},{('left', 'right')[(p * r) % 2]},"
    f"{4 + r % 3},{5 + p % 4},{'yes' if p % 2 else 'no'},yes"
    for p in range(12)
    for r, who in enumerate(("Ann", "ben", "Zoé", "d", "e"))
]
FILE = "\n".join([HEADER, *ROWS]) + "\n"


@pytest.fixture
def owner():
    return factories.user()


def store(owner, text=FILE, title="Votes", **options):
    values: dict[str, Any] = {"reading": Reading(**SYSTEMS), "source_name": "votes.csv"} | options
    return rating_imports.create(user=owner, title=title, source=io.BytesIO(text.encode()), **values)


def analysed(text, **options):
    return analyses.analyse_file(source=io.BytesIO(text.encode()), reading=Reading(**SYSTEMS | options))


def test_the_campaign_has_the_figures_of_the_file(owner):
    made = store(owner)
    assert (made.status, made.ratings_planned, made.pairs_planned) == ("closed", 60, 12)
    assert [*made.reviewers.values_list("external_id", flat=True)] == ["Ann", "ben", "Zoé", "d", "e"]
    result, direct = reports.take_look(campaign=made, user=owner).result, analysed(FILE)
    for part in ("primary", "criteria", "yes_no", "position", "agreement"):
        assert (
            result[part] == pytest.approx(direct[part])
            if part == "position"
            else result[part] == direct[part]
        )
    assert {one["reviewer"] for one in result["reviewers"]["each"]} == {"Ann", "ben", "Zoé", "d", "e"}
    assert "Kea 2" in result["sentence"] and "the tuned model" not in json.dumps(result)
    kinds = {*ModelVersion.objects.filter(name__in=SYSTEMS.values()).values_list("kind", flat=True)}
    assert kinds == {"external"}


def test_every_output_says_that_it_was_rated_elsewhere(owner, client):
    made = store(owner)
    report = reports.take_look(campaign=made, user=owner)
    assert report.result["provenance"]["rated_elsewhere"]["file"] == "votes.csv"
    assert report.result["cautions"][0]["code"] == "rated_elsewhere"
    assert "Rated elsewhere" in markdown(report) and "Rated elsewhere" in document.html(report)
    assert document.document_of(report).cautions[0].code == "rated_elsewhere"  # the PDF prints these
    assert [one["rated_elsewhere"] for one in ranking(user=owner)["campaigns"]] == [True]
    client.force_login(owner)
    for url in (
        reverse("evaluation:campaign", args=[made.pk]),
        reverse("evaluation:campaigns"),
        reverse("evaluation:ranking"),
        reverse("evaluation:report", args=[made.pk]),
    ):
        assert "Rated elsewhere" in client.get(url).content.decode(), url


def test_pages_of_the_campaign_and_its_comparison_work_and_say_that_there_is_no_text(owner, client):
    made = store(owner)
    client.force_login(owner)
    pair = made.comparison.pairs.first()
    assert pair is not None and pair.baseline_response.text == "(no text was given)"
    for name in ("campaign", "people", "blinding"):
        assert client.get(reverse(f"evaluation:{name}", args=[made.pk])).status_code == 200
    assert client.get(reverse("evaluation:comparison", args=[made.comparison_id])).status_code == 200
    page = client.get(reverse("evaluation:pair", args=[made.comparison_id, pair.pk]))
    assert "(no text was given)" in page.content.decode()
    result = reports.take_look(campaign=made, user=owner).result
    assert result["length"] is None and not made.comparison.has_figures


def test_texts_of_the_file_are_stored(owner):
    text = "prompt_id,reviewer_id,preference,prompt,baseline,candidate\n"
    text += "p1,Ann,win,Say hello.,Hm.,Hello!\np2,Ann,loss,,Only this,\n"
    made = store(owner, text)
    first, second = made.comparison.pairs.order_by("pk")
    assert (first.prompt.instruction, first.candidate_response.text) == ("Say hello.", "Hello!")
    assert second.prompt.instruction == "p2 (no text was given)"
    assert (second.baseline_response.text, second.candidate_response.text) == (
        "Only this",
        "(no text was given)",
    )
    assert made.has_texts


def test_without_sides_nothing_is_said_about_them(owner):
    text = "\n".join(
        ",".join(cell for n, cell in enumerate(line.split(",")) if n != 3) for line in [HEADER, *ROWS]
    )
    made = store(owner, text)
    result = reports.take_look(campaign=made, user=owner).result
    assert result["position"] is None
    assert result["primary"] == analysed(text)["primary"] == analysed(FILE)["primary"]
    assert all(row[3] is None for row in ratings.rows(made, "unblinded"))
    header, rows = ratings.open_table(campaign=made, user=owner, variant="unblinded")
    again = analysed("".join(csv_lines(header, rows)))
    assert again["rows"]["sides_unknown"] == 60 and again["primary"] == result["primary"]


def exports(made, report, owner):
    """Every file with unblinded ratings."""
    header, rows = ratings.open_table(campaign=made, user=owner, variant="unblinded")
    yield "".join(csv_lines(header, rows)).encode()
    target = io.BytesIO()
    ratings.write_parquet(target, made, header, ratings.rows(made, "unblinded"))
    yield target.getvalue()
    with zipfile.ZipFile(bundle(report=report, user=owner)) as archive:
        yield archive.read("ratings.csv")
        yield archive.read("ratings.parquet")


def test_every_export_of_ratings_can_be_read_back(owner):
    made = store(owner)
    made.ratings.update(comment='two\nlines, and a "quote"')
    report = reports.take_look(campaign=made, user=owner)
    for content in exports(made, report, owner):
        found = read_ratings(io.BytesIO(content))
        assert (found.n_rows, found.n_bad) == (60, 0)
        direct = analyses.analyse_file(source=io.BytesIO(content), reading=Reading(**SYSTEMS))
        for part in ("primary", "criteria", "yes_no"):
            assert direct[part] == report.result[part]


def test_a_blinded_export_is_refused_with_the_reason(owner):
    header, rows = ratings.open_table(campaign=store(owner), user=owner, variant="blinded")
    with pytest.raises(DomainError, match="nothing says on which side") as refused:
        analysed("".join(csv_lines(header, rows)))
    assert refused.value.code == "unreadable_file"


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        ("", {}, "unreadable_file"),
        (HEADER, {}, "no_ratings"),
        (FILE + "p1,x,better,left,,,,\n", {}, "bad_rows"),
        (FILE.replace("p0,", "p" * 201 + ","), {}, "id_too_long"),
        (FILE, {"title": " "}, "invalid_title"),
        (FILE, {"margin": 2}, "invalid_plan"),
        (FILE, {"reading": Reading()}, "names_required"),
        (FILE, {"reading": Reading(baseline="a", candidate="a")}, "same_model"),
    ],
)
def test_a_refused_import_stores_nothing(owner, text, options, code):
    with pytest.raises(DomainError) as refused:
        store(owner, text, **options)
    assert refused.value.code == code
    for model in (Campaign, Comparison, PromptSet, Reviewer):
        assert not model.objects.exists()


def test_a_failure_while_storing_leaves_nothing(owner, monkeypatch):
    def fail(*args):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(rating_imports, "_reviewers", fail)
    with pytest.raises(RuntimeError):
        store(owner)
    assert not Comparison.objects.exists() and not Campaign.objects.exists()
    monkeypatch.undo()
    store(owner)
    with pytest.raises(DomainError) as refused:
        store(owner)
    assert refused.value.code == "name_taken"


def test_one_rating_is_an_import(owner):
    made = store(owner, "prompt_id,reviewer_id,preference\np1,Ann,win\n")
    assert reports.take_look(campaign=made, user=owner).result["verdict"] == "inconclusive"


def test_page_api_and_command_import_the_same(client, tmp_path, owner):
    client.force_login(factories.user("manager"))
    form = {
        "title": "By page",
        "margin": "5",
        **SYSTEMS,
        "file": SimpleUploadedFile("votes.csv", FILE.encode()),
    }
    sent = client.post(reverse("evaluation:import_ratings"), form)
    assert sent.status_code == 302
    bad = form | {"file": SimpleUploadedFile("votes.csv", b"a,b\n1,2\n")}
    refused = client.post(reverse("evaluation:import_ratings"), bad)
    assert refused.status_code == 400 and "missing columns: prompt_id" in refused.content.decode()
    assert client.post(reverse("evaluation:import_ratings"), {"title": ""}).status_code == 400
    _, key = issue_token(user=factories.user("manager"), name="t", scopes=["evaluate"], days=1)
    query = urlencode(SYSTEMS | {"title": "By API"})
    headers = {"Authorization": f"Bearer {key}"}
    url = f"{reverse('imported-ratings')}?{query}"
    answer = client.post(url, FILE, content_type="text/csv", headers=headers)
    assert answer.status_code == 201 and answer.json()["ratings"] == 60
    file = tmp_path / "votes.csv"
    file.write_text(FILE)
    names = [f"--{role}={name}" for role, name in SYSTEMS.items()]
    out = io.StringIO()
    call_command("import_ratings", str(file), "--title=By command", *names, stdout=out)
    assert out.getvalue().startswith("By command: 60 ratings of 12 pairs (")
    with pytest.raises(CommandError, match="different names"):
        call_command("import_ratings", str(file), "--title=x", "--baseline=a", "--candidate=a")
    results = [reports.take_look(campaign=made, user=owner).result for made in Campaign.objects.all()]
    assert len(results) == 3 and len({json.dumps(one["primary"]) for one in results}) == 1


def test_parquet_exports_have_typed_columns(owner):
    made = store(owner)
    target = io.BytesIO()
    header, rows = ratings.open_table(campaign=made, user=owner, variant="unblinded")
    ratings.write_parquet(target, made, header, rows)
    schema = pq.read_schema(io.BytesIO(target.getvalue()))
    assert str(schema.field("tone_baseline").type) == "double"
    assert str(schema.field("solved_baseline").type) == "string"
