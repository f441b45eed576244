"""What can be carried away from a report: every form says the same, and a stranger can compute it again."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from xml.etree import ElementTree

import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy.stats
from django.core.management import CommandError, call_command
from django.urls import reverse

from evaluation.comparison import readers
from evaluation.models import Rating, Report
from evaluation.report.exports import scripts
from evaluation.report.services import reports
from evaluation.review.selectors import planned_analyses
from evaluation.review.services import campaigns
from evaluation.stats import OUTCOMES, Plan, Ratings, analyse
from evaluation.stats.ratings_file import read_ratings
from evaluation.stats.stages import Stage
from ftplatform.accounts.models import AuditEntry
from ftplatform.accounts.services import issue_token
from ftplatform.errors import DomainError
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return factories.user("manager")


@pytest.fixture
def manager(client, owner):
    client.force_login(owner)
    return client


@pytest.fixture
def closed(owner):
    campaign = factories.rated_campaign()
    campaigns.close(campaign=campaign, user=owner, reason="")
    campaign.refresh_from_db()
    reports.take_look(campaign=campaign, user=owner)
    return campaign


def body(response):
    return b"".join(response.streaming_content) if response.streaming else response.content


def ratings_csv(client, campaign, variant):
    return body(client.get(reverse("evaluation:ratings_file", args=[campaign.pk, variant, "csv"]))).decode()


def test_the_unblinded_ratings_analyse_to_the_report(manager, closed):
    text = ratings_csv(manager, closed, "unblinded")
    found = read_ratings(io.BytesIO(text.encode()))
    assert found.n_bad == 0 and len(found.ratings) == 36
    plan = Plan(criteria=tuple(closed.plan["criteria"]))
    result = closed.reports.get().result
    primary = analyse(found.ratings, plan).primary
    for name in ("estimate", "ci_low", "ci_high", "p_value"):
        assert getattr(primary, name) == pytest.approx(result["primary"][name])


def test_the_blinded_ratings_do_not_tell_the_sides(manager, closed):
    rows = list(csv.DictReader(io.StringIO(ratings_csv(manager, closed, "blinded"), newline="")))
    assert len(rows) == Rating.objects.count() == 36
    assert not {name for name in rows[0] if "candidate" in name or "baseline" in name}
    assert {row["preference"] for row in rows} <= {"left", "right", "tie", "both_bad"}
    assert {row["comment"] for row in rows} == {"'=1+1"} and {row["simulated"] for row in rows} == {"False"}


def test_parquet_holds_the_same_rows(manager, closed):
    address = reverse("evaluation:ratings_file", args=[closed.pk, "unblinded", "parquet"])
    table = pq.read_table(io.BytesIO(body(manager.get(address))))
    rows = list(csv.DictReader(io.StringIO(ratings_csv(manager, closed, "unblinded"), newline="")))
    assert table.num_rows == len(rows) == 36
    assert table.column("prompt_id").to_pylist() == [row["prompt_id"] for row in rows]
    assert table.column("empathy_candidate").to_pylist() == [float(row["empathy_candidate"]) for row in rows]


def test_while_a_campaign_runs_nothing_unblinded_leaves_it(manager):
    campaign = factories.campaign(factories.user(), pairs=2, overlap=1)
    address = reverse("evaluation:ratings_file", args=[campaign.pk, "unblinded", "csv"])
    refused = manager.get(address)
    assert refused.status_code == 409 and "once the campaign has closed" in refused.content.decode()
    assert manager.get(address.replace("unblinded", "blinded")).status_code == 200


def test_who_reviews_gets_no_ratings_before_the_end(client):
    campaign = factories.campaign(factories.user(), pairs=2, overlap=1)
    insider = factories.user("manager")
    factories.reviewer(campaign, user=insider)
    client.force_login(insider)
    for variant in ("blinded", "unblinded"):
        address = reverse("evaluation:ratings_file", args=[campaign.pk, variant, "csv"])
        assert client.get(address).status_code == 403


def test_every_download_is_logged(manager, owner, closed):
    ratings_csv(manager, closed, "unblinded")
    manager.get(reverse("evaluation:report_file", args=[closed.pk, 1, "pdf"]))
    found = AuditEntry.objects.filter(actor=owner, action__endswith=".export")
    assert [entry.details for entry in found.order_by("pk")] == [
        {"variant": "unblinded"},
        {"file": "report-look-1.pdf"},
    ]


@pytest.mark.parametrize(
    ("kind", "begins"), [("pdf", b"%PDF-"), ("html", b"<!DOCTYPE html>"), ("md", b"# "), ("json", b"{")]
)
def test_the_report_comes_in_four_forms(manager, closed, kind, begins):
    answer = manager.get(reverse("evaluation:report_file", args=[closed.pk, 1, kind]))
    assert answer["Content-Disposition"].startswith("attachment") and answer.content.lstrip().startswith(
        begins
    )


def test_the_page_in_one_file_needs_nothing_else(manager, closed):
    text = manager.get(reverse("evaluation:report_file", args=[closed.pk, 1, "html"])).content.decode()
    assert closed.reports.get().result["sentence"] in text.replace("\xa0", " ")
    assert "<svg" in text and "--accent" in text
    assert "<script" not in text and "src=" not in text
    assert all(target.startswith("#") for target in re.findall(r'href="([^"]*)', text))


@pytest.mark.parametrize("name", ["preference", "answers", "criteria", "prompts"])
def test_plots_come_as_svg_and_png(manager, closed, name):
    svg = manager.get(reverse("evaluation:report_plot", args=[closed.pk, 1, name, "svg"]))
    assert ElementTree.fromstring(svg.content).tag.endswith("svg")  # noqa: S314 (our own drawing)
    png = manager.get(reverse("evaluation:report_plot", args=[closed.pk, 1, name, "png"]))
    assert png.content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "path", ["report/1/report.exe", "report/1/plots/none.svg", "report/9/report.pdf", "ratings-open.csv"]
)
def test_what_does_not_exist_is_not_found(manager, closed, path):
    assert manager.get(f"/campaigns/{closed.pk}/{path}").status_code == 404


@pytest.fixture
def unpacked(manager, closed, tmp_path):
    content = body(manager.get(reverse("evaluation:export", args=[closed.pk, 1])))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(tmp_path)
    return tmp_path


def test_the_zip_holds_everything(unpacked, closed):
    names = {str(file.relative_to(unpacked)) for file in unpacked.rglob("*") if file.is_file()}
    assert names >= {
        "report.html",
        "report.pdf",
        "report.md",
        "report.json",
        "ratings.csv",
        "ratings.parquet",
    }
    assert names >= {"recompute.py", "recompute.R", "plots/preference.svg", "plots/criteria.png"}
    assert json.loads((unpacked / "report.json").read_text()) == closed.reports.get().result
    read = list(readers.pairs(io.BytesIO((unpacked / "pairs.jsonl").read_bytes()), "pairs.jsonl"))
    texts = closed.comparison.pairs.values_list("prompt__key", "candidate_response__text")
    assert {(item.row["id"], item.row["candidate"]["text"]) for item in read if item.row} == set(texts)


PLAN = Plan()
SECOND_STAGE = Plan(extensions=1, earlier=(Stage("first", 0.2, 0.15, 60, 20, 8),))


def recompute(folder, *command):
    return subprocess.run([*command], cwd=folder, capture_output=True, text=True, timeout=600, check=False)


def analysed(folder, seed, plan=PLAN):
    """A small panel's ratings and the script for their report, and whether the clustered interval is the wider one."""
    rng = np.random.default_rng(seed)
    prompt = np.repeat(np.arange(20), 3)
    reviewer = np.concatenate([rng.choice(8, 3, replace=False) for _ in range(20)])
    latent = 0.3 + rng.normal(0, 0.6, 20)[prompt] + rng.normal(0, 0.3, 8)[reviewer] + rng.normal(size=60)
    outcome = np.where(latent > 0.4, 0, np.where(latent < -0.4, 3, 1))
    found = Ratings(prompt, reviewer, outcome, rng.random(60) < 0.5)
    report = analyse(found, plan)
    assert report.primary.mixed_model is not None
    with (folder / "ratings.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["prompt_id", "reviewer_id", "preference"])
        writer.writerows(
            (f"p{p}", f"r{r}", OUTCOMES[o]) for p, r, o in zip(prompt, reviewer, outcome, strict=True)
        )
    for language in scripts.LANGUAGES:
        (folder / f"recompute.{language}").write_text(
            scripts.recompute(Report(result=report.to_json()), language, {})
        )
    inner, outer = (
        part.se * scipy.stats.t.isf(0.025, part.df)
        for part in (report.primary.mixed_model, report.primary.clustered)
    )
    return bool(outer > inner)


SEEDS = [(1, True), (4, False)]


@pytest.mark.parametrize(("seed", "wider"), SEEDS)
def test_a_stranger_computes_the_same_headline_in_python(tmp_path, seed, wider):
    assert analysed(tmp_path, seed) == wider
    found = recompute(tmp_path, sys.executable, "recompute.py")
    assert found.returncode == 0 and "They agree." in found.stdout, found.stdout + found.stderr


def test_the_script_notices_an_altered_rating(unpacked):
    file = unpacked / "ratings.csv"
    file.write_text(file.read_text().replace(",win,", ",loss,", 3))
    found = recompute(unpacked, sys.executable, "recompute.py")
    assert found.returncode != 0 and "DIFFER" in found.stderr


@pytest.mark.parametrize(("seed", "wider"), SEEDS)
def test_a_stranger_computes_the_same_headline_in_r(tmp_path, seed, wider):
    probe = shutil.which("Rscript") and recompute(tmp_path, "Rscript", "-e", "library(lmerTest)")
    if not probe or probe.returncode:
        pytest.skip("R with the package lmerTest is not installed")
    assert analysed(tmp_path, seed) == wider
    found = recompute(tmp_path, "Rscript", "recompute.R")
    assert found.returncode == 0 and "They agree." in found.stdout, found.stdout + found.stderr
    analysed(tmp_path, seed, SECOND_STAGE)
    found = recompute(tmp_path, "Rscript", "recompute.R")
    assert found.returncode == 0 and "Over 2 stages: z" in found.stdout, found.stdout + found.stderr


def test_the_zip_s_script_agrees_with_its_report(unpacked):
    found = recompute(unpacked, sys.executable, "recompute.py")
    assert found.returncode == 0 and "They agree." in found.stdout, found.stdout + found.stderr


def test_the_page_shows_outcomes_slices_length_and_movers(manager, closed):
    page = manager.get(reverse("evaluation:report", args=[closed.pk])).content.decode()
    for said in (
        "Prompt by prompt",
        "Where the baseline was preferred most",
        "Win score at equal length",
        "Politeness",
    ):
        assert said in page
    moved = closed.reports.get().result["prompts"]
    assert moved["fallen"] and all(item["prompt"] in page for item in moved["fallen"])


def test_a_report_of_the_first_format_still_opens(manager, closed):
    report = closed.reports.get()
    for name in ("prompts", "slices", "yes_no", "length", "exclusions", "quality", "watch"):
        report.result.pop(name)
    report.save(update_fields=["result"])
    for kind in ("html", "pdf", "md"):
        address = reverse("evaluation:report_file", args=[closed.pk, 1, kind])
        assert manager.get(address).status_code == 200


def test_the_command_writes_the_zip_once(closed, tmp_path):
    file = tmp_path / "all.zip"
    call_command("export_campaign", str(closed.pk), str(file))
    assert "recompute.R" in zipfile.ZipFile(file).namelist()
    with pytest.raises(CommandError, match="exists already"):
        call_command("export_campaign", str(closed.pk), str(file))
    with pytest.raises(CommandError, match="no such"):
        call_command("export_campaign", str(closed.pk), str(tmp_path / "b.zip"), look=9)


def test_the_api_exports_what_the_page_does(client, owner, closed):
    _, key = issue_token(user=owner, name="t", scopes=["read"], days=1)

    def get(**query):
        headers = {"Authorization": f"Bearer {key}"}
        return client.get(f"/api/v1/campaigns/{closed.pk}/export/", query, headers=headers)

    assert body(get()).decode().startswith("prompt_id,reviewer_id,preference,")
    assert "candidate_side" in body(get(variant="unblinded")).decode()
    assert body(get(kind="zip")).startswith(b"PK") and get(kind="pdf").content.startswith(b"%PDF")
    assert get(kind="json").json() == closed.reports.get().result
    assert get(kind="exe").status_code == get(sides="all").status_code == 400
    assert get(kind="json", look=9).status_code == 404


def test_a_watched_campaign_may_be_looked_at_whenever_ratings_came(manager, owner):
    campaign = factories.rated_campaign(pairs=6, reviewers=4, watched=True)
    campaign.ratings.filter(pk__gt=campaign.ratings.order_by("pk")[9].pk).delete()
    first = reports.take_look(campaign=campaign, user=owner)
    assert first.result["watch"] and first.result["look"] is None and not first.is_final
    assert not planned_analyses.next_look(campaign)["due"]
    assert (
        "confidence sequence"
        in manager.get(reverse("evaluation:campaign", args=[campaign.pk])).content.decode()
    )
    with pytest.raises(DomainError, match="ratings"):
        reports.take_look(campaign=campaign, user=owner)
    page = manager.get(reverse("evaluation:report", args=[campaign.pk])).content.decode()
    assert "one moment of a confidence sequence" in page


@pytest.mark.parametrize("watched", [False, True])
def test_an_analysis_is_run_from_the_campaign_s_page(manager, watched):
    campaign = factories.rated_campaign(pairs=2, reviewers=3, watched=watched)
    if watched:
        campaign.ratings.latest("pk").delete()
    page = manager.get(reverse("evaluation:campaign", args=[campaign.pk])).content.decode()
    address = reverse("evaluation:take_look", args=[campaign.pk])
    assert f'action="{address}"' in page
    assert manager.post(address).status_code == 302 and campaign.reports.count() == 1


@pytest.fixture
def imported(owner):
    campaign = factories.rated_campaign(pairs=4, comparison=factories.imported_run(owner))
    campaigns.close(campaign=campaign, user=owner, reason="")
    campaign.refresh_from_db()
    reports.take_look(campaign=campaign, user=owner)
    return campaign


def test_a_report_over_imported_pairs_exports_without_decoding_settings(manager, imported, tmp_path):
    assert imported.reports.get().result["provenance"]["decoding"] == {}
    assert manager.get(reverse("evaluation:report_file", args=[imported.pk, 1, "md"])).status_code == 200
    call_command("export_campaign", str(imported.pk), str(tmp_path / "all.zip"))
    assert "report.md" in zipfile.ZipFile(tmp_path / "all.zip").namelist()


def test_markdown_gives_differences_of_shares_in_percentage_points(manager, closed):
    report = closed.reports.get()
    shares = {
        "baseline_share": 0.11,
        "candidate_share": 0.76,
        "difference": 0.65,
        "ci_low": 0.5,
        "ci_high": 0.8,
    }
    report.result["yes_no"] = [{"name": "resolved", "p_adjusted": 0.01, **shares}]
    report.save(update_fields=["result"])
    text = manager.get(reverse("evaluation:report_file", args=[closed.pk, 1, "md"])).content.decode()
    assert "+65.0 pp (+50.0 to +80.0 pp)" in text and "+65.0%" not in text
