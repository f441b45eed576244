"""Ratings made anywhere: page, API and command give the same report, and a bad row is named."""

import csv
import io
import json
import re
from urllib.parse import urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse

from ftplatform.accounts.services import issue_token
from tests import factories

pytestmark = pytest.mark.django_db

HEADER = "prompt_id,reviewer_id,preference,candidate_side,tone_baseline,tone_candidate\n"
ROWS = [
    f"p{p},r{r},{('win', 'win', 'tie', 'loss')[(p + r) % 4]},{('left', 'right')[(p * r) % 2]},{4 + r % 3},{5 + p % 4}"
    for p in range(12)
    for r in range(5)
]
GOOD = HEADER + "\n".join(ROWS) + "\n"
BAD = GOOD + "p1,r9,better,left,4,5\n"


@pytest.fixture
def post(client):
    _, key = issue_token(user=factories.user("manager"), name="t", scopes=["evaluate"], days=1)

    def send(text, query="", kind="text/csv"):
        headers = {"Authorization": f"Bearer {key}"}
        return client.post(f"/api/v1/analyses/{query}", text, content_type=kind, headers=headers)

    return send


def test_the_api_and_the_command_give_the_same_report(post, tmp_path):
    file = tmp_path / "ratings.csv"
    file.write_text(GOOD)
    out = io.StringIO()
    call_command("analyze", str(file), "--json", stdout=out)
    found, printed = post(GOOD).json(), json.loads(out.getvalue())
    assert found["primary"] == printed["primary"] and found["sentence"] == printed["sentence"]
    rows = found["rows"]
    assert (rows["read"], rows["used"], rows["skipped"], rows["problems"]) == (60, 60, 0, [])
    assert (rows["format"], rows["encoding"], rows["ignored_columns"]) == ("CSV", "UTF-8", [])


def test_json_lines_give_the_same(post):
    names = HEADER.strip().split(",")
    lines = []
    for row in ROWS:
        values = dict(zip(names, row.split(","), strict=True))
        lines.append(json.dumps(values | {name: float(values[name]) for name in names[4:]}))
    assert (
        post("\n".join(lines), kind="application/x-ndjson").json()["primary"] == post(GOOD).json()["primary"]
    )


def test_a_bad_row_is_named_and_nothing_is_analysed(post):
    refused = post(BAD)
    assert refused.status_code == 400 and refused.json()["code"] == "bad_rows"
    assert refused.json()["problems"][0]["field"] == "line 62"
    rest = post(BAD, "?skip_bad_rows=true").json()
    assert rest["rows"]["used"] == 60 and rest["rows"]["skipped"] == 1


@pytest.mark.parametrize(
    ("text", "query", "code"),
    [
        ("", "", "unreadable_file"),
        ("prompt_id,reviewer_id\np1,r1\n", "", "unreadable_file"),
        (GOOD, "?map=x", "invalid_mapping"),
        (GOOD, "?answer=better=x", "invalid_mapping"),
        (GOOD, "?left_is=both", "invalid"),
        (GOOD, "?candidate=x", "invalid_mapping"),
        (GOOD, "?lowest_score=9&highest_score=3", "invalid_scores"),
        (HEADER, "", "no_ratings"),
        (GOOD, "?margin=9", "invalid_plan"),
        (GOOD, "?margin=x", "invalid"),
        (GOOD, "?depth=9", "invalid"),
        ("\xff\xfe", "?skip_bad_rows=1", "unreadable_file"),
    ],
)
def test_what_cannot_be_analysed_is_said(post, text, query, code):
    refused = post(text.encode("latin-1"), query)
    assert refused.status_code == 400 and refused.json()["code"] == code


def test_other_types_and_strangers_are_refused(client, post):
    assert post("{}", kind="text/html").status_code == 415
    assert client.post("/api/v1/analyses/", GOOD, content_type="text/csv").status_code == 401


def upload(client, text, **values):
    file = SimpleUploadedFile("ratings.csv", text.encode())
    return client.post(reverse("evaluation:analyse"), {"file": file, "margin": "5", **values})


def test_the_page_shows_the_report_or_the_rows_to_mend(client):
    client.force_login(factories.user("manager"))
    shown = upload(client, GOOD)
    assert shown.status_code == 200 and "Win score" in shown.content.decode()
    refused = upload(client, BAD)
    assert refused.status_code == 400 and "Line 62" in refused.content.decode()
    assert "1 of 61 rows were skipped" in upload(client, BAD, skip_bad_rows="on").content.decode()


def test_the_result_can_be_downloaded_and_only_as_the_site_computed_it(client):
    client.force_login(factories.user("manager"))
    page = upload(client, GOOD, baseline="Kea 1", candidate="Kea 2").content.decode()
    sealed = re.search(r'name="result"\s+value="([^"]+)"', page)
    assert sealed is not None
    url = reverse("evaluation:analysis_download")

    def download(kind, result=sealed[1]):
        return client.post(url, {"kind": kind, "result": result})

    result = json.loads(download("json").content)
    assert result["rows"]["used"] == 60 and "Kea 2" in result["sentence"]
    assert "the tuned model" not in json.dumps(result)
    assert download("md").content.decode().startswith("# Report")
    rows = list(csv.DictReader(io.StringIO(download("csv").content.decode())))
    score = next(row for row in rows if row["name"] == "Win score of the candidate")
    assert float(score["value"]) == pytest.approx(result["primary"]["estimate"])
    assert download("xls").status_code == 404
    assert download("json", sealed[1][:-3] + "xxx").status_code == 400
    assert client.get(url).status_code == 405


def test_columns_and_answers_are_mapped_through_every_door(post, client, tmp_path):
    text = "ticket,who,pick\n" + "".join(f"t{n},w{n % 4},{('first', 'second')[n % 2]}\n" for n in range(12))
    query = {"map": ["prompt_id=ticket", "reviewer_id=who", "preference=pick"], "left_is": "candidate"}
    query["answer"] = ["left=first", "right=second"]
    from_api = post(text, "?" + urlencode(query, doseq=True)).json()
    client.force_login(factories.user("manager"))
    form = {"columns": "\n".join(query["map"]), "answers": "left=first\nright=second", "left_is": "candidate"}
    assert "12 of 12 rows used" in upload(client, text, **form).content.decode()
    file = tmp_path / "ratings.txt"
    file.write_text(text)
    options = [f"--map={one}" for one in query["map"]] + [f"--answer={one}" for one in query["answer"]]
    out = io.StringIO()
    call_command("analyze", str(file), "--json", "--left-is=candidate", *options, stdout=out)
    assert json.loads(out.getvalue())["primary"] == from_api["primary"]
    assert from_api["primary"]["n_ratings"] == 12


def test_without_sides_there_is_no_position_check(post):
    text = "prompt_id,reviewer_id,preference\n" + "".join(
        f"p{n},r{n % 3},win\np{n},s{n % 3},loss\n" for n in range(30)
    )
    found = post(text + "p1,R2,win\n").json()
    assert found["position"] is None
    codes = [caution["code"] for caution in found["cautions"]]
    assert codes[:2] == ["sides_unknown", "reviewers_alike"]
    assert not {"position_effect", "unbalanced_sides"} & {*codes}
    assert found["rows"]["sides_unknown"] == 61


def test_counts_in_messages_are_true(post):
    broken = HEADER + 'p1,r1,"win,left,4,5\n'
    refused = post(broken).json()
    assert refused["code"] == "bad_rows" and refused["detail"].startswith("1 of 1 rows")
    none = post("prompt_id;reviewer_id\n").json()
    assert none["code"] == "unreadable_file" and "0 rows" not in none["detail"]
