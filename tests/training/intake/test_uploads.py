"""A file is uploaded once; then its columns are mapped, its rows shown and checked, and it becomes a dataset."""

import gzip
import io
import json
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from ftplatform.accounts.services import issue_token
from ftplatform.errors import DomainError
from tests import factories
from training.intake import selectors
from training.intake.rows import ColumnMapping
from training.intake.services import datasets, uploads
from training.models import Dataset, Upload
from training.tasks import sweep_uploads

pytestmark = pytest.mark.django_db
ROWS = [f"Where is my card number {n}?,card_arrival" for n in range(30)]
CSV = "\n".join(["text,category", *ROWS]).encode() + b"\n"


def stage(user, content=CSV, name="a.csv"):
    return uploads.stage(user=user, name="bank", file=io.BytesIO(content), source_name=name)


def fields(page):
    """What the page's form would send, unchanged."""
    form = page.context["form"]
    return {bound.name: bound.value() for bound in form if bound.value() not in (None, False)}


def open_upload(client, content=CSV, name="a.csv"):
    page = client.post(
        reverse("training:dataset_new"), {"name": "bank", "file": SimpleUploadedFile(name, content)}
    )
    assert page.status_code == 302, page.content.decode()
    return page.url, client.get(page.url)


def test_banking77_is_imported_by_looking_and_clicking(client, admin, shared_data):
    content = (shared_data / "banking77" / "train.csv").read_bytes()
    url, page = open_upload(client, content, "train.csv")
    values = fields(page)
    assert (values["role_0"], values["role_1"]) == ("input", "output")
    keys = {"role_0": "input_key", "key_0": "query", "role_1": "output_key", "key_1": "intent"}
    asked = {**values, **keys, "instruction": "Name the intent."}
    shown = client.post(url, {**asked, "preview": "1"})
    assert shown.context["preview"].examples[0]["input"] == {"query": "I am still waiting on my card?"}
    assert json.loads(fields(shown)["schema"])["required"] == ["intent"]
    stored = client.post(url, {**fields(shown), "store": "1"})
    made = Dataset.objects.get()
    assert stored.url == reverse("training:dataset", args=[made.pk])
    assert made.rows == 10_003
    assert made.validation_rows + made.test_rows == pytest.approx(2000, abs=4)
    (first,) = selectors.examples(made, "train", limit=1)
    assert first["input"].keys() == {"query"} and first["output"].keys() == {"intent"}
    assert made.output_schema["properties"] == {"intent": {"type": "string"}}
    page = client.get(stored.url).content.decode()
    assert "resemble training rows" in page


def test_rows_that_need_no_mapping_are_stored_as_they_are(client, admin):
    rows = [factories.row(id=f"r{n}", group=f"g{n % 7}") for n in range(40)]
    url, page = open_upload(client, factories.jsonl(*rows).getvalue(), "a.jsonl")
    assert page.context["form"].look.proposal is None
    assert client.post(url, {**fields(page), "store": "1"}).status_code == 302
    made = Dataset.objects.get()
    assert made.facts["mapping"] is None
    assert made.facts["groups"] == 7


def test_a_broken_file_is_listed_downloaded_and_imported_without_its_bad_rows(client, admin):
    bad = CSV + b"".join(b"only one cell =%d\n" % n for n in range(150))
    url, page = open_upload(client, bad)
    values = {**fields(page), "instruction": "Name the intent.", "store": "1"}
    refused = client.post(url, values)
    text = refused.content.decode()
    assert refused.status_code == 422
    assert "150 of 180 rows" in text and "Line 32" in text and "50 more errors are in the file" in text
    report = client.get(url + "problems.csv")
    lines = b"".join(report).decode().splitlines()
    assert lines[0] == "line,field,reason" and len(lines) == 151
    assert not Dataset.objects.exists()
    client.post(url, {**values, "store": "good"})
    made = Dataset.objects.get()
    assert made.rows == 30
    assert made.facts["skipped"]["rows"] == 150
    assert "150" in client.get(reverse("training:dataset", args=[made.pk])).content.decode()


def test_an_edited_schema_is_checked_and_stays_in_the_form(client, admin):
    url, page = open_upload(client)
    schema = '{"properties": {"intent": {"enum": ["lost_card"]}}}'
    keys = {"role_1": "output_key", "key_1": "intent"}
    values = {**fields(page), **keys, "instruction": "Name it.", "schema": schema, "store": "1"}
    refused = client.post(url, values)
    assert refused.status_code == 422
    assert fields(refused)["schema"] == schema
    assert "output.intent" in refused.content.decode()
    wrong = client.post(url, {**values, "schema": '{"$ref": "#/x"}'})
    assert wrong.status_code == 400
    assert "$ref" in str(wrong.context["form"].errors["schema"])


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"instruction": "", "role_0": "input_key"}, "instruction"),
        ({"role_1": ""}, None),
        ({"role_1": "input"}, "role_1"),
        ({"role_0": "input_key", "role_1": "input_key", "key_1": "text"}, "key_1"),
        ({"test_percent": "95"}, "test_percent"),
    ],
)
def test_an_incomplete_mapping_is_marked_where_it_is_wrong(client, admin, changed, field):
    url, page = open_upload(client)
    answer = client.post(url, {**fields(page), "instruction": "x", "store": "1", **changed})
    assert answer.status_code == 400
    assert (field or "__all__") in answer.context["form"].errors
    assert not Dataset.objects.exists()


def test_json_in_cells_is_proposed_and_a_forgotten_input_is_pointed_out(client, admin):
    rows = b"".join(b'Decide.,what,x,"{""a"": %d}"\n' % n for n in range(9))
    url, page = open_upload(client, b"instruction,case_text,note,answer\n" + rows)
    assert "gets no input" in page.content.decode() and page.context["unused"] == ["case_text", "note"]
    assert page.context["form"]["json_cells"].value() is True
    values = {**fields(page), "role_1": "input", "json_cells": "", "preview": "1"}
    text = client.post(url, values).content.decode()
    assert "Unused columns: note." in text and "gets no input" not in text


def test_a_second_click_finds_the_dataset_of_the_first(client, admin):
    url, page = open_upload(client)
    values = {**fields(page), "instruction": "x", "store": "1"}
    assert client.post(url, values).url == client.post(url, values).url
    assert Dataset.objects.count() == 1


def test_an_upload_is_its_owners_and_expires(client, admin):
    upload = stage(admin)
    url = reverse("training:upload", args=[upload.pk])
    client.force_login(factories.user())
    assert client.get(url).status_code == 404
    client.force_login(admin)
    assert client.get(url).status_code == 200
    Upload.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(url).status_code == 404
    folder = upload.folder
    assert folder.is_dir()
    sweep_uploads()
    assert not folder.exists() and not Upload.objects.exists()


def test_what_a_killed_import_left_on_the_disk_goes_when_it_is_old(admin):
    root = Path(django_settings.ARTEFACT_DIR) / "datasets"
    old, new = root / ".incoming-old", root / ".incoming-new"
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "rows.jsonl").write_text("{}")
    for path in (old / "rows.jsonl", old):
        os.utime(path, (0, 0))
    sweep_uploads()
    assert not old.exists() and new.is_dir()
    shutil.rmtree(new)


def test_nothing_stays_of_a_file_that_is_refused(admin, settings):
    settings.UPLOAD_MAX_BYTES = 100
    root = Path(django_settings.ARTEFACT_DIR) / "uploads"
    before = set(root.iterdir()) if root.exists() else set()
    with pytest.raises(DomainError, match="larger than 100 bytes"):
        stage(admin)
    with pytest.raises(DomainError, match="damaged"):
        stage(admin, b"\x1f\x8b" + b"\0" * 20)
    assert set(root.iterdir()) == before
    assert not Upload.objects.exists()


@pytest.mark.parametrize(
    "content", [b"", b"a" * 200, b"\xff\xfe\x00", b"," * 300 + b"\n", b'"open,\n', b"PAR1 and no more"]
)
def test_a_file_that_is_none_is_said_in_a_sentence(client, admin, content):
    page = client.post(
        reverse("training:dataset_new"),
        {"name": "x", "file": SimpleUploadedFile("a.csv", content)},
        follow=True,
    )
    assert page.status_code in (200, 400, 422)
    assert "Traceback" not in page.content.decode()


def test_names_of_columns_are_shown_and_never_run(client, admin):
    name = "<script>alert(1)</script>"
    url, page = open_upload(client, f'text,"{name}"\na,b\n'.encode())
    assert name not in page.content.decode()
    assert "&lt;script&gt;" in page.content.decode()
    assert url


def test_a_body_beyond_the_limit_is_not_kept_and_said(client, admin, settings):
    settings.UPLOAD_MAX_BYTES = 3 * 2**20
    content = b"text,category\n" + b"a,b\n" * 3_000_000
    file = SimpleUploadedFile("big.csv", content)
    page = client.post(reverse("training:dataset_new"), {"name": "x", "file": file})
    assert len(page.wsgi_request.FILES["file"]) == len(content)
    assert page.status_code == 400
    assert "larger than 3,145,728 bytes" in page.content.decode()
    assert not Upload.objects.exists()
    assert not list((Path(settings.ARTEFACT_DIR) / "incoming").glob("*"))


# --- Conversations ----------------------------------------------------------------------------------------


def chat(number, *more):
    turns = [
        {"role": "user", "content": f"Where is parcel {number}?"},
        {"role": "assistant", "content": "Which town?", "weight": 0},
        {"role": "user", "content": f"Town {number}."},
        {"role": "assistant", "content": "It arrives today."},
    ]
    return {"messages": [*turns, *more], "source": "web"}


def test_chats_are_recognised_shown_turn_by_turn_and_stored(client, admin):
    content = factories.jsonl(
        *(chat(n, {"role": "user", "content": "Thanks."}) for n in range(30))
    ).getvalue()
    url, page = open_upload(client, gzip.compress(content), "chats.jsonl.gz")
    text = page.content.decode()
    assert (
        "OpenAI chat messages" in text and "Unpacked from gzip." in text and "Unused columns: source." in text
    )
    assert "not trained on" in text and "30 turns after the last trained answer dropped." in text
    stored = client.post(url, {**fields(page), "store": "1"})
    made = Dataset.objects.get()
    assert made.rows == 30
    (first,) = selectors.examples(made, "train", limit=1)
    assert [turn["role"] for turn in first["messages"]] == ["user", "assistant", "user"]
    assert first["output"] == "It arrives today." and first["messages"][1]["weight"] == 0
    source = made.facts["source"]
    assert (source["packed"], source["dropped_turns"], source["ignored_columns"]) == ("gzip", 30, ["source"])
    text = client.get(stored.url).content.decode()
    assert "Which town?" in text and "Assistant, expected output" in text


def test_conversations_that_differ_in_one_turn_only_are_near_duplicates(admin):
    long = "My order of two lamps has not arrived and nobody answers the phone at all, " * 3
    rows = [
        {"messages": [{"role": "user", "content": f"{n} {long}"}, *chat(0)["messages"][1:]]}
        for n in range(20)
    ]
    made = datasets.create(user=admin, name="x", file=factories.jsonl(*rows), source_name="a.jsonl")
    assert made.facts["near_duplicates"]["rows"] == made.validation_rows


def test_preferences_are_said_and_can_be_mapped_to_the_preferred_answer(client, admin):
    rows = [{"prompt": f"p {n}", "chosen": "good", "rejected": "bad"} for n in range(30)]
    url, page = open_upload(client, factories.jsonl(*rows).getvalue(), "a.jsonl")
    assert "Training on preferences is not available" in page.content.decode()
    assert client.post(url, {**fields(page), "store": "1"}).status_code == 302
    (first,) = selectors.examples(Dataset.objects.get(), "train", limit=1)
    assert first["output"] == "good"


def test_a_mapping_is_saved_by_name_and_used_for_the_next_file(client, admin, tmp_path, headers):
    url, page = open_upload(client)
    keys = {"role_1": "output_key", "key_1": "intent", "instruction": "Name the intent."}
    assert "save_as" in client.post(url, {**fields(page), **keys, "save": "1"}).context["form"].errors
    saved = client.post(url, {**fields(page), **keys, "save_as": "bank", "save": "1"})
    assert saved.status_code == 200
    other, page = open_upload(client, name="b.csv")
    used = fields(client.get(f"{other}?mapping=bank"))
    assert (used["role_1"], used["key_1"], used["instruction"]) == (
        "output_key",
        "intent",
        "Name the intent.",
    )
    assert client.get(f"{other}?mapping=none").status_code == 404
    file = tmp_path / "c.csv"
    file.write_bytes(CSV)
    call_command("import_dataset", file, "--name", "by command", "--mapping", "bank")
    body = {"name": "by API", "file": SimpleUploadedFile("a.csv", CSV), "saved_mapping": "bank"}
    assert client.post("/api/v1/datasets/", body, headers=headers).status_code == 201
    assert {made.facts["mapping"]["instruction"] for made in Dataset.objects.all()} == {"Name the intent."}


# --- The API and the command ------------------------------------------------------------------------------


@pytest.fixture
def headers(admin):
    _, key = issue_token(user=admin, name="t", scopes=["read", "train"], days=1)
    return {"Authorization": f"Bearer {key}"}


MAPPING = {"instruction": "Name it.", "inputs": {"query": "text"}, "outputs": {"intent": "category"}}


def test_a_program_uploads_looks_maps_and_imports(client, headers):
    file = SimpleUploadedFile("a.csv", CSV + b"bad\n")
    made = client.post("/api/v1/uploads/", {"name": "bank", "file": file}, headers=headers)
    assert made.status_code == 201, made.content
    url = f"/api/v1/uploads/{made.json()['id']}/"
    seen = client.get(url, headers=headers).json()
    assert seen["columns"] == ["text", "category"]
    assert (seen["proposal"]["input_column"], seen["proposal"]["output_column"]) == ("text", "category")
    assert (seen["layout"]["name"], seen["source"]["separator"]) == ("table", "comma")

    def store(**body):
        return client.post(
            url + "dataset/", {"mapping": MAPPING, **body}, "application/json", headers=headers
        )

    refused = store()
    assert refused.status_code == 422
    assert refused.json()["problems"] == [{"line": 32, "message": "The row has 1 cells; the header has 2."}]
    assert b"".join(client.get(url + "problems/", headers=headers)).count(b"\r\n") == 2
    stored = store(skip_bad_rows=True, test_percent=20)
    assert stored.status_code == 201
    assert stored.json()["test_rows"] == 6
    assert store(skip_bad_rows=True).json()["id"] == stored.json()["id"]


def test_one_request_takes_a_mapping_and_a_schema(client, headers):
    def send(**more):
        file = SimpleUploadedFile("a.csv", CSV)
        body = {"name": "bank", "file": file, "mapping": json.dumps(MAPPING), **more}
        return client.post("/api/v1/datasets/", body, headers=headers)

    refused = send(schema='{"properties": {"intent": {"type": "number"}}}')
    assert refused.json()["problems"][0]["field"] == "output.intent"
    assert refused.json()["upload"]
    assert send(mapping='{"colour": "red"}').json()["problems"][0]["field"] == "mapping.colour"
    assert send(schema="{").json()["code"] == "invalid"
    assert send().json()["output_schema"]["required"] == ["intent"]


def test_the_command_maps_and_writes_every_problem(admin, tmp_path, capsys):
    file, report = tmp_path / "a.csv", tmp_path / "problems.csv"
    file.write_bytes(CSV + b"bad\n")
    columns = ["--instruction", "Name it.", "--input", "query=text", "--output-column", "category"]
    call_command(
        "import_dataset",
        file,
        "--name",
        "x",
        *columns,
        "--skip-bad-rows",
        "--problems",
        report,
        "--test",
        "10",
    )
    assert (
        "24 rows to train on, 3 for validation, 3 for comparisons, 1 bad rows left out"
        in capsys.readouterr().out
    )
    assert report.read_text().splitlines()[1].startswith("32,")
    assert ColumnMapping().columns == set()
