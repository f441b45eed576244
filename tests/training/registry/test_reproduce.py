"""An exported archive trains the same adapter again, to the last bit, and nothing else by mistake."""

import json
import os
import subprocess
import sys
import zipfile

import pytest

from tests import factories
from tests.services import ROOT
from training import access
from training.config import TrainingConfig
from training.intake.services import datasets
from training.registry import exports
from training.registry.services import models
from training.runs.selectors import comparing
from training.runs.services import runs
from worker import tasks
from worker.demo.stages import BASE_FOLDER
from worker.ml.demo import cases

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
CONFIG = TrainingConfig(max_length=512, epochs=0.25, batch_size=8, learning_rate=3e-3, sample_prompts=0)


@pytest.fixture(scope="module")
def rows():
    return list(cases.generate_cases(80))


def run_script(folder, *arguments):
    command = [sys.executable, str(folder / "reproduce.py"), "--base", str(BASE_FOLDER), *arguments]
    return subprocess.run(
        command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )


def test_the_archive_makes_the_same_adapter_again(settings, tmp_path, rows):
    settings.ARTEFACT_DIR = tmp_path / "artefacts"
    owner = factories.user()
    data = datasets.create(user=owner, name="c", file=factories.jsonl(*rows), source_name="c.jsonl")
    base = models.register_base(user=owner, name="tiny", path=str(BASE_FOLDER))
    run = runs.launch(user=owner, name="first", dataset=data, base_model=base, config=CONFIG)
    tasks.run_next("gpu")
    run = access.run(user=owner, pk=run.pk)
    assert run.status == run.Status.SUCCEEDED, run.error_message
    summary = comparing.run_summary(run)
    export = exports.reproduction(user=owner, model=run.adapter, summary=summary, with_rows=True)
    (tmp_path / "export.zip").write_bytes(b"".join(export.blocks))
    zipfile.ZipFile(tmp_path / "export.zip").extractall(tmp_path / "unpacked")
    (folder,) = (tmp_path / "unpacked").iterdir()

    with (folder / "dataset" / "train.jsonl").open("a") as file:
        file.write("\n")
    refused = run_script(folder, "--out", str(tmp_path / "wrong"))
    assert refused.returncode == 1 and "train. Nothing was trained" in refused.stderr
    assert not (tmp_path / "wrong").exists()

    stored = data.split_file("train").parent
    done = run_script(folder, "--out", str(tmp_path / "again"), "--data", str(stored))
    assert done.returncode == 0, done.stderr[-3000:]
    again = json.loads((tmp_path / "again" / "adapter" / "manifest.json").read_text())
    weights = "adapter_model.safetensors"
    first = json.loads((run.folder / "attempt-1" / "adapter" / "manifest.json").read_text())
    assert again["files"][weights] == first["files"][weights]
