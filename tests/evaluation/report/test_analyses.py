"""Ratings made anywhere: page, API and command give the same report, and a bad row is named."""

import io
import json

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
    assert found["rows"] == {"read": 60, "used": 60, "skipped": 0, "problems": []}


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
        ("", "", "bad_rows"),
        (HEADER, "", "no_ratings"),
        (GOOD, "?margin=9", "invalid_plan"),
        (GOOD, "?margin=x", "invalid"),
        (GOOD, "?depth=9", "invalid"),
        ("\xff\xfe", "?skip_bad_rows=1", "no_ratings"),
    ],
)
def test_what_cannot_be_analysed_is_said(post, text, query, code):
    refused = post(text.encode("latin-1"), query)
    assert refused.status_code == 400 and refused.json()["code"] == code


def test_other_types_and_strangers_are_refused(client, post):
    assert post("{}", kind="application/json").status_code == 415
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
