"""MLflow receives a copy of a run and continues it across attempts; the run succeeds when MLflow is unavailable."""

import os
import signal

import pytest

from ftplatform.jobs.models import Job
from tests import services
from tests.faults.conftest import training_pid
from training.models import StepMetric, TrainingRun

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def finished(run, status=Job.Status.SUCCEEDED):
    services.wait_until(lambda: Job.objects.get(pk=run.pk).is_finished, seconds=900, what="the run's end")
    run = TrainingRun.objects.get(pk=run.pk)
    assert run.status == status, run.error_message
    return run


def test_a_killed_and_resumed_run_is_one_run_of_mlflow_and_no_file_holds_its_address(
    launch, start_worker, tmp_path, monkeypatch
):
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    # Sufficient for a test; an installation uses a server.
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    store = "canary-store"
    uri = f"file://{tmp_path}/{store}"
    # Long enough that the kill interrupts it.
    run = launch(epochs=8.0)
    start_worker(
        MLFLOW_TRACKING_URI=uri, MLFLOW_TRACKING_TOKEN="canary-token", MLFLOW_ALLOW_FILE_STORE="true"
    )
    services.wait_until(
        lambda: StepMetric.objects.filter(run_id=run.pk, split="train").count() >= 5,
        seconds=600,
        what="steps",
    )
    pid = training_pid(run)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    run = finished(run)
    assert run.attempt == 2 and not run.events.filter(message__contains="MLflow").exists()

    client = mlflow.MlflowClient(tracking_uri=uri)
    (copy,) = client.search_runs([client.get_experiment_by_name("ftplatform").experiment_id])
    assert copy.info.status == "FINISHED" and copy.data.params["learning_rate"] == "0.005"
    kept = {metric.step: metric.value for metric in client.get_metric_history(copy.info.run_id, "train/loss")}
    ours = dict(run.metrics.filter(split="train").values_list("step", "loss"))
    assert kept == pytest.approx(ours) and len(kept) == 72

    files = [file for file in run.folder.rglob("*") if file.is_file()]
    assert len(files) > 5
    for file in files:
        content = file.read_bytes()
        assert b"canary-token" not in content and store.encode() not in content, file


def test_a_server_that_is_away_costs_the_run_only_the_copy(launch, start_worker):
    run = launch(epochs=1.0)
    nobody = f"http://user:canary-password@127.0.0.1:{services.free_port()}"
    start_worker(MLFLOW_TRACKING_URI=nobody, MLFLOW_HTTP_REQUEST_MAX_RETRIES="0")
    run = finished(run)
    (said,) = run.events.filter(message__contains="MLflow").values_list("message", flat=True)
    assert "not complete" in said and "canary" not in said
