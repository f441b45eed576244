"""The commands as their supervisor sees them: separate processes, read line by line."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.worker.ml.conftest import CONFIG

TRAIN = [sys.executable, "-m", "worker.ml.train"]


def start(command: list[str], job: dict[str, Any], folder: Path, **pipes) -> Any:
    file = folder / "job.json"
    file.write_text(json.dumps(job))
    return subprocess.Popen(
        [*command, str(file)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **pipes
    )


def snippet(body: str) -> list[str]:
    """A command that runs `body` as its work, with the real protocol around it."""
    code = (
        f"import os, sys\nfrom worker.ml.protocol import run_command\ndef work(reporter, job):\n    {body}\n"
    )
    return [sys.executable, "-c", code + "sys.exit(run_command(work))"]


def test_a_run_prints_json_lines_only_and_exits_zero(job, tmp_path):
    job["config"] |= {"epochs": 0.5}
    process = start(TRAIN, job, tmp_path)
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0
    events = [json.loads(line) for line in output.splitlines()]
    assert [event["stage"] for event in events if event["event"] == "stage"] == [
        "checking inputs", "loading model", "training", "checking adapter", "saving",
    ]  # fmt: skip
    assert events[-1]["event"] == "done"
    assert Path(events[-1]["artefact"]).is_dir()


def test_sigterm_stops_after_the_step_with_a_checkpoint(job, tmp_path):
    job["config"] = CONFIG | {"epochs": 100.0, "evaluate_every": 100_000}
    process = start(TRAIN, job, tmp_path)
    for line in process.stdout:
        if json.loads(line)["event"] == "step":
            break
    process.send_signal(signal.SIGTERM)
    events = [json.loads(line) for line in process.stdout]
    assert process.wait(timeout=120) == 0
    assert events[-1]["event"] == "cancelled"
    # It may have been far ahead of us, but what it did last is the step that it stopped after.
    told = [event for event in events if event["event"] == "step"]
    assert events[-1]["step"] < 400 and (not told or events[-1]["step"] == told[-1]["step"])
    assert (Path(events[-1]["checkpoint"]) / "trainer_state.json").is_file()
    assert not Path(job["output_dir"]).exists()


def test_the_run_ends_with_its_supervisor(job, tmp_path):
    job["config"] = CONFIG | {"epochs": 100.0, "evaluate_every": 100_000}
    process = start(TRAIN, job | {"watch_stdin": True}, tmp_path, stdin=subprocess.PIPE)
    for line in process.stdout:
        if json.loads(line)["event"] == "step":
            break
    process.stdin.close()
    assert process.wait(timeout=120) == 1
    assert "done" not in process.stdout.read()


def test_library_noise_goes_to_stderr_even_from_below_python(tmp_path):
    noise = "print('py'); os.write(1, b'fd'); os.system('echo child'); reporter.emit('done', artefact=None)"
    output, _ = start(snippet(noise), {}, tmp_path).communicate(timeout=120)
    assert output == '{"event": "done", "artefact": null}\n'


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        ("raise MemoryError()", "out_of_memory"),
        ("raise RuntimeError('DefaultCPUAllocator: can\\'t allocate memory: you tried')", "out_of_memory"),
        ("raise OSError(28, 'No space left on device')", "disk_full"),
        ("raise ZeroDivisionError('by zero')", "internal"),
        ("reporter.emit('facts', facts=float('nan'))", "internal"),
    ],
)
def test_a_failure_becomes_one_error_event(tmp_path, failure, code):
    process = start(snippet(failure), {}, tmp_path)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    (event,) = [json.loads(line) for line in output.splitlines()]
    assert (event["event"], event["code"]) == ("error", code)
    assert event["message"].endswith((".", ";"))


def test_an_unreadable_job_is_an_error_event(tmp_path):
    process = subprocess.run(
        [*TRAIN, str(tmp_path / "absent.json")], capture_output=True, text=True, timeout=600
    )
    assert process.returncode == 1
    assert json.loads(process.stdout)["code"] == "job_invalid"


def test_heartbeats_fill_a_quiet_stage_and_stop_with_it(tmp_path):
    body = (
        "import time, worker.ml.protocol as p; p.HEARTBEAT_SECONDS = 0.1; began = time.monotonic()\n"
        "    with reporter.quiet_stage('loading'): time.sleep(1)\n"
        "    reporter.emit('facts', facts=time.monotonic() - began)\n"
        "    reporter.stage('training'); time.sleep(0.5)"
    )
    output, _ = start(snippet(body), {}, tmp_path).communicate(timeout=120)
    events = [json.loads(line) for line in output.splitlines()]
    heartbeats = [event for event in events if event["event"] == "heartbeat"]
    assert [event["event"] for event in events] == [
        "stage",
        *["heartbeat"] * len(heartbeats),
        "facts",
        "stage",
    ]
    assert 2 <= len(heartbeats) <= events[-2]["facts"] / 0.1


def test_sigterm_before_the_first_step_cancels_at_the_next_stage(tmp_path):
    body = "os.kill(os.getpid(), 15); reporter.stage('training')"
    process = start(snippet(body), {}, tmp_path)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert json.loads(output) == {"event": "cancelled"}
