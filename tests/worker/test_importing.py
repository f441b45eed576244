"""A file too large for a page to wait for is checked by a worker, which says how far it is and can be stopped."""

import io
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from ftplatform import queues
from ftplatform.accounts.services import issue_token
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from tests import factories
from training.intake.checking import Wishes
from training.intake.services import imports, uploads
from training.models import Dataset, DatasetImport, Upload
from worker import importing, tasks

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
CSV = b"text,category\n" + b"".join(b"Where is card %d?,card\n" % n for n in range(30))


@pytest.fixture(autouse=True)
def everything_is_large(settings):
    settings.UPLOAD_WAIT_BYTES = 0


@pytest.fixture
def admin(client):
    user = factories.user()
    client.force_login(user)
    return user


def stage(user, content=None, name="a.jsonl"):
    content = content or factories.jsonl(*(factories.row(id=f"r{n}") for n in range(30))).getvalue()
    return uploads.stage(user=user, name="cases", file=io.BytesIO(content), source_name=name)


def asked(user, upload, **wishes):
    return imports.start(user=user, upload=upload, name="cases", wishes=Wishes(**wishes))


def send(client, content=CSV, **changed):
    """Upload and store through the pages; the address of the upload."""
    url = client.post(
        reverse("training:dataset_new"), {"name": "bank", "file": SimpleUploadedFile("a.csv", content)}
    ).url
    form = client.get(url).context["form"]
    values = {bound.name: bound.value() for bound in form if bound.value() not in (None, False)}
    keys = {"role_1": "output_key", "key_1": "intent", "instruction": "Name the intent."}
    answer = client.post(url, {**values, **keys, "store": "1", **changed})
    assert answer.status_code == 302 and answer.url == url
    return url


def test_the_page_tells_how_far_it_is_and_leads_to_the_dataset(client, admin):
    url = send(client)
    assert "Starts when a worker is free" in client.get(url).content.decode()
    Job.objects.update(
        status=Job.Status.RUNNING, stage="Checking every row", step=250, total_steps=1000, seconds_left=90
    )
    part = client.get(url, headers=HTMX).content.decode()
    assert part.strip().startswith('<div id="live"') and "25" in part and "left" in part
    assert "a.csv" in client.get(reverse("training:datasets")).content.decode()
    Job.objects.update(status=Job.Status.QUEUED)
    tasks.run_next(queues.CPU)
    made = Dataset.objects.get()
    assert made.rows == 30 and made.facts["mapping"]["outputs"] == {"intent": "category"}
    assert client.get(url).url == reverse("training:dataset", args=[made.pk])
    assert client.get(url, headers=HTMX)["HX-Redirect"] == reverse("training:dataset", args=[made.pk])


def test_bad_rows_are_listed_beside_the_form_as_it_was_sent(client, admin):
    url = send(client, CSV + b"only one cell\n" * 3, validation_percent="20")
    tasks.run_next(queues.CPU)
    assert client.get(url, headers=HTMX)["HX-Refresh"] == "true"
    assert f'href="{url}"' in client.get(reverse("training:datasets")).content.decode()
    page = client.get(url)
    text = page.content.decode()
    assert "3 of 33 rows" in text and "Line 32" in text
    form = page.context["form"]
    assert (form["instruction"].value(), form["validation_percent"].value()) == ("Name the intent.", 20)
    assert form["key_1"].value() == "intent"
    assert b"".join(client.get(url + "problems.csv")).count(b"\r\n") == 4
    send_again = {bound.name: bound.value() for bound in form if bound.value() not in (None, False)}
    client.post(url, {**send_again, "store": "good"})
    tasks.run_next(queues.CPU)
    assert Dataset.objects.get().rows == 30
    assert f'href="{url}"' not in client.get(reverse("training:datasets")).content.decode()


def test_a_second_click_waits_for_the_first(admin):
    upload = stage(admin)
    assert asked(admin, upload) == asked(admin, upload)
    tasks.run_next(queues.CPU)
    upload.refresh_from_db()
    assert asked(admin, upload) == Dataset.objects.get()


def test_cancelling_stops_it_and_the_file_stays(client, admin):
    waiting, working = stage(admin), stage(admin)
    url = reverse("training:upload", args=[waiting.pk])
    asked(admin, waiting)
    client.post(url + "cancel/")
    job = asked(admin, working)
    claim = jobs.claim_next(queue=queues.CPU, worker="w")
    jobs.cancel(job=Job.objects.get(pk=job.pk), user=admin)
    assert claim is not None
    importing.import_file(claim)
    assert set(Job.objects.values_list("status", flat=True)) == {Job.Status.CANCELLED}
    assert not Dataset.objects.exists()
    assert "Check all rows and create dataset" in client.get(url).content.decode()


def test_a_worker_that_lost_the_job_stores_nothing(admin):
    asked(admin, stage(admin))
    lost = jobs.claim_next(queue=queues.CPU, worker="w")
    jobs.take_back_all()
    assert lost is not None
    importing.import_file(lost)
    assert not Dataset.objects.exists()
    tasks.run_next(queues.CPU)
    assert Job.objects.get().attempt == 2 and Dataset.objects.count() == 1


def test_a_check_at_work_outlives_the_date_of_its_upload(admin):
    upload = stage(admin)
    asked(admin, upload)
    Upload.objects.update(expires_at=timezone.now() - timedelta(days=1))
    assert uploads.sweep() == 0 and upload.file.exists()
    tasks.run_next(queues.CPU)
    assert uploads.sweep() == 1 and Dataset.objects.exists() and not DatasetImport.objects.exists()


def test_a_program_asks_until_it_has_ended(client, admin):
    _, key = issue_token(user=admin, name="t", scopes=["read", "train"], days=1)
    headers = {"Authorization": f"Bearer {key}"}
    file = SimpleUploadedFile(
        "a.jsonl", factories.jsonl(*(factories.row(id=f"r{n}") for n in range(9))).getvalue()
    )
    sent = client.post("/api/v1/datasets/", {"name": "x", "file": file}, headers=headers)
    assert sent.status_code == 202 and sent.json()["check"]["status"] == "queued"
    url = f"/api/v1/uploads/{sent.json()['id']}/"
    tasks.run_next(queues.CPU)
    seen = client.get(url, headers=headers).json()
    assert seen["check"]["status"] == "succeeded" and seen["dataset"] == str(Dataset.objects.get().pk)
    assert client.post(url + "cancel/", headers=headers).json()["check"]["status"] == "succeeded"


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_progress_goes_from_nothing_to_all_and_never_back(admin, kind, tmp_path):
    rows = [factories.row(id=f"r{n}", input=f"case {n}", output="yes") for n in range(2500)]
    if kind == "jsonl":
        content = factories.jsonl(*rows).getvalue()
    elif kind == "csv":
        cells = "".join(f"{row['instruction']},{row['input']},yes\n" for row in rows)
        content = b"instruction,input,output\n" + cells.encode()
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
        content = (tmp_path / "a.parquet").read_bytes()
    told = []
    uploads.make_dataset(
        user=admin,
        upload=stage(admin, content, f"a.{kind}"),
        name="cases",
        wishes=Wishes(),
        tell=lambda stage, part: told.append((stage, part)),
    )
    parts = [part for _, part in told]
    assert parts == sorted(parts) and parts[0] < 0.01 and parts[-1] == 1
    assert 3 <= len({part for stage, part in told if stage == "Checking every row"}) <= 6
    assert len(dict(told)) == 4
