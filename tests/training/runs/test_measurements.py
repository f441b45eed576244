"""Measuring a dataset, and what follows for a launch: no row loses its end token unnoticed."""

import json
import shutil

import pytest
from django.urls import reverse

from ftplatform import queues
from ftplatform.accounts.services import issue_token
from ftplatform.errors import DomainError
from ftplatform.jobs.models import Job
from tests import factories
from training import access, model_folder
from training.config import TrainingConfig
from training.models import Measurement, TrainingRun
from training.registry.services import models
from training.runs import charts
from training.runs.services import measurements, runs
from worker.demo.stages import BASE_FOLDER
from worker.tasks import run_next

pytestmark = pytest.mark.django_db


def split(*lengths, bad_rows=0):
    counts = sorted((length, lengths.count(length)) for length in set(lengths))
    longest = [
        {"id": f"r{number}-{length}", "tokens": length}
        for number, length in enumerate(sorted(lengths, reverse=True))
    ]
    return {
        "counts": [list(pair) for pair in counts],
        "longest": longest,
        "bad_rows": bad_rows,
        "problems": [],
    }


def result(context=4096):
    return {
        "template_hash": "e" * 64,
        "context": context,
        "splits": {"train": split(100, 200, 200, 900), "validation": split(150, 1200), "test": split(3000)},
        "preview": [
            {
                "id": "r1",
                "split": "train",
                "length": 2,
                "left_out": 0,
                "tokens": [["<b>", 0, 0], ["<|end|>", 1, 1]],
            }
        ],
    }


@pytest.fixture
def measured():
    owner = factories.user()
    base = models.register_base(user=owner, name="tiny", path=str(BASE_FOLDER))
    made = measurements.launch(user=owner, dataset=factories.dataset(owner), base_model=base)
    Job.objects.filter(pk=made.pk).update(status="succeeded", finished_at=made.created_at)
    Measurement.objects.update(result=result())
    return access.measurement(user=owner, pk=made.pk)


def launch(measured, **config):
    return runs.launch(
        user=measured.created_by,
        name="run",
        dataset=measured.dataset,
        base_model=measured.base_model,
        config=TrainingConfig(**config),
    )


def test_a_measurement_is_made_once_for_a_dataset_and_a_model(measured):
    again = measurements.launch(
        user=factories.user(), dataset=measured.dataset, base_model=measured.base_model
    )
    assert again.pk == measured.pk
    other = factories.base_model(measured.created_by)
    assert (
        measurements.launch(user=measured.created_by, dataset=measured.dataset, base_model=other).pk
        != measured.pk
    )


def test_rows_of_the_splits_that_are_trained_on_are_counted(measured):
    long = measurements.long_rows(measured, 800)
    assert (long.rows, long.of, long.longest) == (2, 6, 1200)
    assert [(row["split"], row["tokens"]) for row in long.first] == [("validation", 1200), ("train", 900)]
    assert measurements.long_rows(measured, 1200).rows == 0


def test_a_launch_that_would_lose_an_end_token_is_refused_with_rows_and_remedies(measured):
    with pytest.raises(DomainError) as caught:
        launch(measured, max_length=1000)
    error = caught.value
    assert (error.code, error.status) == ("rows_too_long", 422)
    assert "1 of 6 rows" in error.detail and "Raise max_length to 1,200" in error.detail
    assert [(problem["row"], problem["tokens"]) for problem in error.problems] == [("r0-1200", 1200)]
    assert [remedy["config"] for remedy in error.extra["remedies"][:2]] == [
        {"max_length": 1200},
        {"long_rows": "drop"},
    ]
    assert not TrainingRun.objects.exists()


@pytest.mark.parametrize("config", [{"max_length": 1200}, {"max_length": 800, "long_rows": "drop"}])
def test_each_remedy_launches(measured, config):
    assert launch(measured, **config).config.items() >= config.items()


def test_a_length_beyond_what_the_model_reads_is_no_remedy(measured):
    Measurement.objects.update(result=result(context=1024))
    with pytest.raises(DomainError) as caught:
        launch(measured, max_length=800)
    assert [remedy["remedy"] for remedy in caught.value.extra["remedies"]] == ["drop_rows", "mend_dataset"]


def test_leaving_rows_out_is_no_remedy_where_a_split_would_be_empty(measured):
    with pytest.raises(DomainError) as caught:
        launch(measured, max_length=120)
    assert [remedy["remedy"] for remedy in caught.value.extra["remedies"]] == [
        "raise_max_length",
        "mend_dataset",
    ]


def test_without_a_measurement_of_these_weights_the_run_itself_checks(measured):
    Measurement.objects.update(weights_hash="0" * 64)
    assert launch(measured, max_length=16)


def test_the_launch_page_offers_the_remedies_as_buttons(client, measured):
    client.force_login(measured.created_by)
    form = client.get(reverse("training:run_new")).context["form"]
    values = {name: form[name].value() for name in form.fields if form[name].value() is not None}
    values |= {"name": "x", "dataset": str(measured.dataset_id), "base_model": str(measured.base_model_id)}
    refused = client.post(reverse("training:run_new"), values | {"max_length": "800"})
    text = refused.content.decode()
    assert refused.status_code == 400
    assert 'value="max_length=1200"' in text and 'value="long_rows=drop"' in text
    client.post(reverse("training:run_new"), values | {"max_length": "800", "remedy": "long_rows=drop"})
    assert TrainingRun.objects.get().config["long_rows"] == "drop"


def test_the_api_names_rows_and_remedies(client, measured):
    _, key = issue_token(user=measured.created_by, name="t", scopes=["read", "train"], days=1)
    headers = {"Authorization": f"Bearer {key}"}
    body = {"dataset": str(measured.dataset_id), "base_model": str(measured.base_model_id)}
    made = client.post("/api/v1/measurements/", body, "application/json", headers=headers)
    assert made.json()["result"]["template_hash"] == "e" * 64
    config = {"max_length": 800}
    refused = client.post(
        "/api/v1/training-runs/", {**body, "name": "x", "config": config}, "application/json", headers=headers
    )
    assert refused.status_code == 422
    assert refused.json()["remedies"][0]["config"] == {"max_length": 1200}


def test_the_page_shows_lengths_the_template_and_what_is_too_long(client, measured):
    client.force_login(factories.user("manager"))
    url = reverse("training:measurement", args=[measured.pk])
    text = client.get(url, {"max_length": "800"}).content.decode()
    assert "2 of 6 rows would lose their end token at 800" in text
    assert "e" * 64 in text and "r0-1200" in text
    assert '<span class="token trained special">&lt;|end|&gt;</span>' in text
    assert "Every row keeps its end token at 2,048" in client.get(url).content.decode()
    assert "Every row" in client.get(url, {"max_length": "many"}).content.decode()


def test_the_histogram_says_what_it_shows():
    drawn = charts.length_chart(result()["splits"], 1000)
    assert drawn is not None
    assert "7 rows; the longest has 3,000 tokens. 2 exceed 1,000." in drawn["caption"]
    assert sum(int(row[2]) for row in drawn["rows"]) == 7
    assert charts.length_chart({"train": split()}, None) is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_a_worker_measures_and_survives_a_hostile_template(client, tmp_path):
    owner = factories.user()
    data = factories.dataset(owner)
    hostile = tmp_path / "hostile"
    shutil.copytree(BASE_FOLDER, hostile)
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    (hostile / "chat_template.jinja").write_text(loop)
    config = json.loads((hostile / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    (hostile / "tokenizer_config.json").write_text(json.dumps(config))
    bases = [
        factories.base_model(
            owner, path=str(hostile), weights_hash=model_folder.inspect(hostile).weights_hash
        ),
        models.register_base(user=owner, name="tiny", path=str(BASE_FOLDER)),
    ]
    bad, good = (measurements.launch(user=owner, dataset=data, base_model=base) for base in bases)
    run_next(queues.CPU)
    run_next(queues.CPU)
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.status, bad.error_code) == ("failed", "template_too_slow")
    assert good.status == "succeeded", good.error_message
    assert sum(rows for _, rows in good.result["splits"]["train"]["counts"]) == data.train_rows
    client.force_login(owner)
    assert client.get(reverse("training:measurement", args=[bad.pk])).status_code == 200
    assert "token trained" in client.get(reverse("training:measurement", args=[good.pk])).content.decode()
