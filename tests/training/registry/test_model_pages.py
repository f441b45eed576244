"""What may be done with a model: its stage, its card, its way out of the house, and where it comes from."""

import io
import json
import tracemalloc
import zipfile
from datetime import timedelta

import pytest
import yaml
from django.db.models import F
from django.urls import reverse

from ftplatform.accounts.models import AuditEntry
from ftplatform.accounts.services import issue_token
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from ftplatform.zip_stream import zip_stream
from tests import factories
from training import access
from training.artefacts import file_sha256, publish
from training.config import TrainingConfig
from training.models import ModelVersion
from training.registry import card
from training.registry.services import merges, models
from training.runs.forms import LaunchForm
from training.runs.services import runs

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artefact_dir")]


@pytest.fixture
def adapter(admin, tmp_path):
    """An adapter that a finished run made, with its files and manifest on disk."""
    base = factories.base_model(admin, name="acme-1b", licence="apache-2.0", is_demo=True)
    data = factories.dataset(admin)
    run = factories.training_run(admin, name="first", base_model=base, dataset=data)
    claim = jobs.claim_next(queue=run.queue, worker="w")
    assert claim is not None
    point = {"token_accuracy": 0.5, "loss": 1.0}
    runs.record_metrics(
        claim, [{"split": "train", "step": 1, **point}, {"split": "train", "step": 2, **point, "loss": 0.25}]
    )

    def write(folder):
        (folder / "adapter_model.safetensors").write_bytes(b"weights")
        (folder / "adapter_config.json").write_text("{}")
        return {}

    digest = publish(tmp_path / "made" / "adapter", write)
    splits = {name: {"sha256": file_sha256(data.split_file(name))} for name in ("train", "validation")}
    facts = {"libraries": {"torch": "2.13.0+cpu", "trl": "1.16.0"}, "datasets": splits, "device": "cpu"}
    made = models.add_adapter(
        claim=claim, run=run, path=str(tmp_path / "made" / "adapter"), weights_hash=digest, facts=facts
    )
    jobs.finish(claim, Job.Status.SUCCEEDED)
    type(run).objects.filter(pk=run.pk).update(started_at=F("finished_at") - timedelta(minutes=31))
    return ModelVersion.objects.get(pk=made.pk)


def page(client, model, name="model", **query):
    return client.get(reverse(f"training:{name}", args=[model.pk]), query)


def post(client, model, name, **values):
    answer = client.post(reverse(f"training:{name}", args=[model.pk]), values, follow=True)
    model.refresh_from_db()
    return answer.content.decode()


def opened(answer):
    return zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))


def test_a_stage_changes_only_with_a_reason_which_stays_with_the_model(client, admin, adapter):
    assert "enter a reason" in post(client, adapter, "model_stage", stage="released", reason=" ")
    assert adapter.stage == "candidate"
    shown = post(client, adapter, "model_stage", stage="released", reason="Better in 62 of 100.")
    assert adapter.stage == "released" and "Better in 62 of 100." in shown
    entry = AuditEntry.objects.get(action="model.stage")
    assert entry.details == {"old": "candidate", "new": "released", "reason": "Better in 62 of 100."}
    assert "Choose another stage" in post(client, adapter, "model_stage", stage="released", reason="again")


def test_of_two_who_move_a_model_at_once_the_second_is_told(admin, adapter):
    stale = ModelVersion.objects.get(pk=adapter.pk)
    models.set_stage(user=admin, model=adapter, stage="released", reason="r")
    with pytest.raises(DomainError) as caught:
        models.set_stage(user=admin, model=stale, stage="retired", reason="r")
    assert caught.value.code == "stage_changed"


def test_a_retired_model_is_offered_nowhere(admin, adapter):
    base = adapter.base
    for model in (base, adapter):
        models.set_stage(user=admin, model=model, stage="retired", reason="old")
        model.refresh_from_db()
    assert base not in LaunchForm(user=admin).base_models
    assert adapter not in access.adapters(user=admin)
    with pytest.raises(DomainError) as caught:
        runs.launch(
            user=admin, name="n", dataset=adapter.run.dataset, base_model=base, config=TrainingConfig()
        )
    assert caught.value.code == "model_retired"


def test_the_lineage_leads_from_the_base_to_what_was_merged(client, admin, adapter):
    merged = ModelVersion.objects.create(
        name="whole",
        kind="merged",
        base=adapter.base,
        source=adapter,
        path="/nowhere",
        weights_hash="3" * 64,
        details={
            "unmerged_16_bit": {
                "max_logit_difference": 0.5,
                "mean_logit_difference": 0.01,
                "greedy_agreement": 0.99,
            }
        },
        created_by=admin,
    )
    for model in (adapter.base, adapter, merged):
        shown = page(client, model).content.decode()
        for name in ("acme-1b", adapter.name, "whole", "first", "cases"):
            assert name in shown, (model, name)
    assert "99.0\xa0% of the" in page(client, merged).content.decode()


def test_a_model_says_in_what_it_was_compared(client, admin):
    run = factories.comparison(admin)
    shown = page(client, run.candidate).content.decode()
    assert reverse("evaluation:comparison", args=[run.pk]) in shown


def test_the_page_needs_few_queries_however_many_adapters_there_are(
    client, admin, django_assert_max_num_queries
):
    base = factories.base_model(admin)
    for _ in range(60):
        factories.adapter(admin, base=base)
    with django_assert_max_num_queries(20):
        shown = page(client, base).content.decode()
    assert "and 10 older ones" in shown


def test_the_card_says_what_it_is_made_from_and_that_it_is_a_toy(client, admin, adapter):
    text = page(client, adapter, "model_card").content.decode()
    matter = yaml.safe_load(text.split("---\n")[1])
    assert (matter["license"], matter["base_model"]) == ("apache-2.0", "acme-1b")
    assert "toy-model" in matter["tags"] and "Toy model" in text
    for words in ("1.00 → 0.25 (−75 %)", "18 train, 2 validation", adapter.weights_hash, "torch", "lora\\_r"):
        assert words in text.replace("\xa0", " ")


def test_names_cannot_break_out_of_a_card(admin):
    model = factories.base_model(admin, name="x\n---\n# <script>", licence="a\nlicense: mit")
    text = card.markdown(model, [])
    matter = yaml.safe_load(text.split("\n---\n")[0].removeprefix("---\n"))
    assert matter["license"] == "a\nlicense: mit"
    assert "<script>" not in text.split("\n---\n", 1)[1] and "\n# <" not in text


def test_a_licence_is_recorded_and_goes_into_the_card(client, admin, adapter):
    post(client, adapter, "model_licence", licence="mit")
    assert "mit" in page(client, adapter, "model_card").content.decode()
    assert AuditEntry.objects.filter(action="model.licence").count() == 1


def test_an_adapter_is_carried_away_with_its_card_and_that_is_written_down(client, admin, adapter):
    answer = page(client, adapter, "model_export", what="files")
    assert answer["Content-Disposition"] == f'attachment; filename="{adapter.name}-adapter.zip"'
    archive = opened(answer)
    names = {name.removeprefix(f"{adapter.name}/") for name in archive.namelist()}
    assert names == {"README.md", "adapter_config.json", "adapter_model.safetensors", "manifest.json"}
    assert archive.read(f"{adapter.name}/adapter_model.safetensors") == b"weights"
    assert "apache-2.0" in archive.read(f"{adapter.name}/README.md").decode()
    assert AuditEntry.objects.get(action="model.export").details == {"what": "adapter"}


def test_files_that_were_changed_are_not_carried_away(client, admin, adapter, tmp_path):
    (tmp_path / "made" / "adapter" / "adapter_config.json").write_text("changed")
    answer = page(client, adapter, "model_export", what="files")
    assert answer.status_code == 409 and "differs from its recorded" in answer.content.decode()
    assert not AuditEntry.objects.filter(action="model.export").exists()


def test_everything_needed_to_train_it_again_is_in_one_archive(client, admin, adapter):
    bare = opened(page(client, adapter, "model_export", what="reproduce"))
    names = {name.removeprefix(f"{adapter.name}/") for name in bare.namelist()}
    assert names == {"README.md", "run.json", "run.md", "config.json", "requirements.txt", "reproduce.py"}
    recorded = json.loads(bare.read(f"{adapter.name}/run.json"))
    data = adapter.run.dataset
    assert recorded["sha256"]["train"] == file_sha256(data.split_file("train"))
    assert bare.read(f"{adapter.name}/requirements.txt") == b"torch==2.13.0\ntrl==1.16.0\n"
    rows = opened(page(client, adapter, "model_export", what="reproduce", rows="1"))
    assert rows.read(f"{adapter.name}/dataset/train.jsonl") == data.split_file("train").read_bytes()


def test_a_base_model_stays_where_it_is(client, admin, adapter):
    assert page(client, adapter.base, "model_export", what="files").status_code == 400
    assert page(client, adapter.base, "model_export", what="reproduce").status_code == 400


def test_only_admins_carry_models_away(client, admin, adapter):
    client.force_login(factories.user("manager"))
    assert page(client, adapter, "model_export", what="files").status_code == 403
    assert page(client, adapter, "model_card").status_code == 200


def test_an_archive_is_packed_with_flat_memory(tmp_path):
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(300 * 2**20)
    tracemalloc.start()
    size = sum(len(block) for block in zip_stream([("big", big), ("note", "small")]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 300 * 2**20 and peak < 10 * 2**20


def test_a_merge_is_asked_for_once_however_often_it_is_clicked(client, admin, adapter):
    shown = page(client, adapter).content.decode()
    key = shown.split('name="idempotency_key" value="')[1].split('"')[0]
    for _ in range(2):
        assert "Merge queued" in post(client, adapter, "model_merge", idempotency_key=key)
    assert Job.objects.filter(kind=Job.Kind.MERGE).count() == 1
    with pytest.raises(DomainError):
        merges.launch(user=admin, adapter=adapter.base)


def test_the_hub_form_is_there_only_where_downloads_are_allowed(client, admin, settings):
    new = reverse("training:model_new")
    assert "HUB_DOWNLOADS=1" in client.get(new).content.decode()
    settings.HUB_DOWNLOADS = True
    wrong = {"hub-name": "n", "hub-reference": "acme/tiny@main", "hub-confirmed": "on"}
    answer = client.post(new, wrong)
    assert answer.status_code == 400 and "40 digits" in answer.content.decode()
    right = wrong | {"hub-reference": f"acme/tiny@{'a' * 40}"}
    assert client.post(new, {k: v for k, v in right.items() if k != "hub-confirmed"}).status_code == 400
    listed = client.post(new, right, follow=True).content.decode()
    assert "acme/tiny@aaa" in listed and "Queued" in listed


class Api:
    def __init__(self, client, user):
        self.client = client
        client.logout()
        _, key = issue_token(user=user, name="t", scopes=["read", "train"], days=1)
        self.headers = {"Authorization": f"Bearer {key}"}

    def get(self, path):
        return self.client.get(f"/api/v1/{path}", headers=self.headers)

    def post(self, path, body):
        sent = self.client.post(
            f"/api/v1/{path}", body, content_type="application/json", headers=self.headers
        )
        return sent.status_code, sent.json()


def test_the_api_does_what_the_pages_do(client, admin, adapter, settings):
    api = Api(client, admin)
    assert api.post(f"models/{adapter.pk}/stage/", {"stage": "released"})[0] == 400
    assert (
        api.post(f"models/{adapter.pk}/stage/", {"stage": "released", "reason": "r"})[1]["stage"]
        == "released"
    )
    assert api.post(f"models/{adapter.pk}/licence/", {"licence": "mit"})[1]["licence"] == "mit"
    status, job = api.post(f"models/{adapter.pk}/verify/", {})
    assert (status, job["kind"], job["status"]) == (202, "verification", "queued")
    assert api.get(f"model-jobs/{job['id']}/").json()["model"] == str(adapter.pk)
    assert api.post(f"model-jobs/{job['id']}/cancel/", {})[1]["status"] == "cancelled"
    assert api.post(f"models/{adapter.pk}/merge/", {})[0] == 202
    assert "mit" in api.get(f"models/{adapter.pk}/card/").json()["markdown"]
    wanted = {"name": "n", "reference": f"acme/tiny@{'a' * 40}", "confirmed": True}
    assert api.post("models/download/", wanted)[1]["code"] == "downloads_off"
    settings.HUB_DOWNLOADS = True
    assert api.post("models/download/", wanted)[0] == 202


def test_the_api_sends_archives_to_admins_alone(client, admin, adapter):
    api = Api(client, admin)
    assert "README.md" in opened(api.get(f"model-exports/{adapter.pk}/files/")).namelist()[-1]
    assert len(opened(api.get(f"model-exports/{adapter.pk}/reproduction/?rows=1")).namelist()) == 8
    manager = Api(client, factories.user("manager"))
    assert manager.get(f"model-exports/{adapter.pk}/files/").status_code == 403


def test_an_external_system_is_registered_by_its_name(client, admin):
    new = reverse("training:model_new")
    assert 'name="external-name"' in client.get(new).content.decode()
    client.post(new, {"external-name": "vendor A"})
    made = ModelVersion.objects.get()
    assert (made.name, made.kind) == ("vendor A", "external")
    factories.base_model(admin, name="tiny")
    refused = client.post(new, {"external-name": "tiny"})
    assert refused.status_code == 400 and "already called tiny" in refused.content.decode()
