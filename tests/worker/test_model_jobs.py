"""Downloads and verifications done for real: child processes, files, and a hub on this machine."""

import json
import shutil
from typing import Any

import pytest

from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from tests import factories
from tests.training import hub
from training import integrity
from training.artefacts import publish, verify
from training.models import ModelJob, ModelVersion
from training.registry.services import model_jobs, models
from worker import tasks
from worker.demo.stages import BASE_FOLDER

pytestmark = pytest.mark.django_db(transaction=True)
REFERENCE = f"{hub.REPOSITORY}@{hub.COMMIT}"


@pytest.fixture
def owner(settings, tmp_path):
    settings.HUB_DOWNLOADS = True
    settings.ARTEFACT_DIR = tmp_path / "artefacts"
    return factories.user()


@pytest.fixture
def served(tmp_path, monkeypatch):
    """The demo base with a pickle and a script beside it, as a careless publisher leaves them."""
    folder = tmp_path / "published"
    shutil.copytree(BASE_FOLDER, folder)
    (folder / "pytorch_model.bin").write_bytes(b"never wanted")
    (folder / "modeling_evil.py").write_text("raise SystemExit")
    with hub.serve(folder) as (address, fetched):
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield folder, fetched


def work(job):
    """What the `cpu` node does when its bell rings."""
    tasks.run_next("cpu")
    job.refresh_from_db()
    return job


def ask(owner, **changes):
    asked: dict[str, Any] = {
        "name": "from-the-hub",
        "reference": REFERENCE,
        "licence": "apache-2.0",
        "confirmed": True,
    }
    return model_jobs.request_download(user=owner, **asked | changes)


def test_a_pinned_model_is_downloaded_checked_and_registered(owner, served, settings):
    job = work(ask(owner))
    assert (job.status, job.error_message) == (Job.Status.SUCCEEDED, "")
    model = ModelVersion.objects.get()
    assert (model.name, model.hub_reference, model.licence) == ("from-the-hub", REFERENCE, "apache-2.0")
    assert job.model == model and str(settings.ARTEFACT_DIR) in model.path
    integrity.check_unchanged(model)
    _, fetched = served
    assert "model.safetensors" in fetched
    assert not {"pytorch_model.bin", "modeling_evil.py"} & set(fetched), "pickles and code were fetched"


def test_a_model_with_code_of_its_own_is_refused_after_the_download_and_leaves_no_folder(
    owner, served, settings
):
    folder, _ = served
    config = json.loads((folder / "config.json").read_text()) | {"auto_map": {"AutoModel": "modeling_evil.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    job = work(ask(owner))
    assert (job.status, job.error_code) == (Job.Status.FAILED, "remote_code")
    assert not ModelVersion.objects.exists()
    assert not (settings.ARTEFACT_DIR / "models" / "acme--tiny" / hub.COMMIT).exists()


@pytest.mark.parametrize(
    ("reference", "code"),
    [(f"acme/tiny@{'f' * 40}", "hub_not_found"), (f"acme/other@{hub.COMMIT}", "hub_not_found")],
)
def test_what_the_hub_does_not_have_is_said_plainly(owner, served, reference, code):
    job = work(ask(owner, reference=reference))
    assert (job.status, job.error_code) == (Job.Status.FAILED, code), job.error_message
    assert reference in job.error_message


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"confirmed": False}, "not_confirmed"),
        ({"reference": "acme/tiny@main"}, "not_pinned"),
        ({"reference": "acme/tiny"}, "not_pinned"),
        ({"reference": f"../tiny@{hub.COMMIT}"}, "not_pinned"),
        ({"reference": f"acme/tiny@{hub.COMMIT}\n"}, "not_pinned"),
    ],
)
def test_a_download_must_be_confirmed_and_pinned(owner, changes, code):
    with pytest.raises(DomainError) as caught:
        ask(owner, **changes)
    assert caught.value.code == code and not Job.objects.exists()


def test_downloads_are_off_unless_an_operator_allows_them(owner, settings):
    waiting = ask(owner)
    settings.HUB_DOWNLOADS = False
    with pytest.raises(DomainError) as caught:
        ask(owner, name="another")
    assert caught.value.code == "downloads_off"
    assert work(waiting).error_code == "downloads_off"


def test_verification_finds_a_changed_byte_and_says_when_all_is_well(owner, tmp_path):
    folder = tmp_path / "base"
    shutil.copytree(BASE_FOLDER, folder)
    model = models.register_base(user=owner, name="base", path=str(folder))
    ModelVersion.objects.update(verified_at=None)
    job = work(model_jobs.request_verification(user=owner, model=model))
    model.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED and model.verified_at
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    job = work(model_jobs.request_verification(user=owner, model=model))
    assert (job.status, job.error_code) == (Job.Status.FAILED, "weights_changed")


def test_an_adapter_is_verified_by_its_manifest(owner, tmp_path):
    def write(folder):
        (folder / "adapter_model.safetensors").write_bytes(b"weights")
        return {}

    digest = publish(tmp_path / "adapter", write)
    adapter = factories.adapter(owner, path=str(tmp_path / "adapter"), weights_hash=digest)
    assert verify(tmp_path / "adapter") == {}
    assert work(model_jobs.request_verification(user=owner, model=adapter)).status == Job.Status.SUCCEEDED
    (tmp_path / "adapter" / "adapter_model.safetensors").write_bytes(b"changed")
    job = work(model_jobs.request_verification(user=owner, model=adapter))
    assert (job.status, job.error_code) == (Job.Status.FAILED, "artefact_changed")


def test_asking_twice_for_a_verification_is_asking_once(owner):
    model = factories.base_model(owner)
    first = model_jobs.request_verification(user=owner, model=model)
    assert model_jobs.request_verification(user=owner, model=model).pk == first.pk
    jobs.cancel(job=first, user=owner)
    assert model_jobs.request_verification(user=owner, model=model).pk != first.pk


# --- GGUF files -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_gguf_file_is_registered_with_its_original_precision(owner, settings, smollm, smollm_gguf, client):
    """An earlier attempt has unpacked the weights and was lost; what unpacking gives is tested with the model."""
    job = model_jobs.request_conversion(user=owner, name="smol", file=str(smollm_gguf), licence="apache-2.0")
    shutil.copytree(smollm, settings.ARTEFACT_DIR / "models" / "gguf" / str(job.pk))
    assert (work(job).status, job.error_message) == (Job.Status.SUCCEEDED, "")
    model = ModelVersion.objects.get()
    assert (model.name, model.licence, model.kind, job.model) == ("smol", "apache-2.0", "base", model)
    assert (model.details["precision"], model.details["gguf"]) == ("Q4_1", smollm_gguf.name)
    assert model.details["template"]["tools"] is False
    client.force_login(owner)
    assert "Q4_1, unpacked to 16 bit" in client.get(f"/training/models/{model.pk}/").content.decode()
    assert "GGUF, Q4_1" in client.get("/training/models/").content.decode()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "gguf_missing"),
        (b"", "gguf_unreadable"),
        (b"GGUF" + bytes(40), "gguf_unreadable"),
        (b"x" * 99, "gguf_unreadable"),
    ],
    ids=["missing", "empty", "cut short", "other content"],
)
def test_a_file_that_is_no_gguf_fails_with_its_reason_and_leaves_no_model(owner, tmp_path, content, code):
    file = tmp_path / "model.gguf"
    if content is not None:
        file.write_bytes(content)
    job = work(model_jobs.request_conversion(user=owner, name="smol", file=str(file)))
    assert (job.status, job.error_code) == (Job.Status.FAILED, code), job.error_message
    assert not ModelVersion.objects.exists()


@pytest.mark.parametrize(
    ("file", "code"),
    [("model.gguf", "relative_path"), ("/models/base", "no_gguf"), (f"/{'x' * 200}.gguf", "path_too_long")],
)
def test_a_conversion_needs_one_absolute_file_name(owner, file, code):
    with pytest.raises(DomainError) as caught:
        model_jobs.request_conversion(user=owner, name="smol", file=file)
    assert caught.value.code == code and not Job.objects.exists()


def test_the_form_and_the_api_queue_a_conversion(owner, client):
    client.force_login(owner)
    answer = client.post("/training/models/new/", {"name": "smol", "path": "/models/smol.gguf"})
    assert answer.status_code == 302 and answer.url == "/training/models/"
    made = client.post(
        "/api/v1/models/convert/",
        {"name": "other", "file": "/models/other.GGUF"},
        content_type="application/json",
    )
    assert made.status_code == 202 and made.json()["kind"] == "conversion"
    assert [job.reference for job in ModelJob.objects.order_by("created_at")] == [
        "/models/smol.gguf",
        "/models/other.GGUF",
    ]
