"""A run on several devices, here two processes of one CPU: the same losses, one supervised tree."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.worker.ml.conftest import run, training_job
from training.artefacts import verify
from worker.ml import train

pytestmark = pytest.mark.slow

CONFIG = {"method": "lora", "lora_dropout": 0.0, "evaluate_every": 2, "sample_prompts": 1}


def start(job, folder):
    file = folder / "job.json"
    file.write_text(json.dumps(job | {"watch_stdin": True}))
    return subprocess.Popen(
        [sys.executable, "-m", "worker.ml.train", str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(folder / "err").open("w"),
        text=True,
        start_new_session=True,
    )


def ranks(folder):
    """Processes that train on this folder's job."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().decode().split("\0")
        except (OSError, ValueError):
            continue
        if str(folder / "job.json") in command:
            found.append(int(entry.name))
    return found


def until_gone(folder):
    deadline = time.monotonic() + 120
    while ranks(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    return ranks(folder) == []


def test_two_processes_give_the_losses_of_one_with_twice_the_batch(files, tmp_path):
    alone = run(train.main, training_job(files, tmp_path / "one" / "adapter", **CONFIG))
    (tmp_path / "two").mkdir()
    job = training_job(files, tmp_path / "two" / "adapter", **CONFIG, devices=2)
    job["config"] |= {"batch_size": 2}
    process = start(job, tmp_path / "two")
    events = [json.loads(line) for line in process.stdout]
    assert process.wait(120) == 0 and events[-1]["event"] == "done", (tmp_path / "two" / "err").read_text()[
        -2000:
    ]
    # A validation loss is a mean over batches, and here the batches are halves.
    for kind, tolerance in (("step", 1e-3), ("evaluation", 2e-2)):
        ours, theirs = ([e for e in told if e["event"] == kind] for told in (events, alone))
        assert [event["step"] for event in ours] == [event["step"] for event in theirs]
        for one, other in zip(ours, theirs, strict=True):
            assert one["loss"] == pytest.approx(other["loss"], rel=tolerance)
            assert one.get("tokens") == other.get("tokens")
    assert verify(tmp_path / "two" / "adapter")["config"]["devices"] == 2
    assert until_gone(tmp_path / "two")


@pytest.mark.parametrize("end", ["word", "kill"])
def test_stopping_or_killing_the_launcher_leaves_no_process(files, tmp_path, end):
    job = training_job(files, tmp_path / "adapter", **CONFIG, devices=2)
    job["config"] |= {"batch_size": 2, "epochs": 100.0}
    process = start(job, tmp_path)
    for line in process.stdout:
        if json.loads(line)["event"] == "step":
            break
    assert len(ranks(tmp_path)) == 3
    if end == "word":
        process.stdin.write("stop\n")
        process.stdin.flush()
        events = [json.loads(line) for line in process.stdout]
        assert events[-1]["event"] == "cancelled" and process.wait(120) == 0
        verify(Path(events[-1]["checkpoint"]))
    else:
        process.send_signal(signal.SIGKILL)
        process.wait(120)
    assert until_gone(tmp_path)
