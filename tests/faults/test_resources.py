"""When the disk fills or memory runs out, the run reports it and saved checkpoints stay valid."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from tests import services
from tests.worker.ml.conftest import training_job, write_jsonl
from training import checkpoints
from training.models import TrainingRun
from worker.ml.demo.cases import generate_cases

_MOUNT = 'mount -t tmpfs -o size="$1" tmpfs "$2" && shift 2 && exec "$@"'


def on_a_small_disk(folder: Path, size: str) -> list[str]:
    """Command prefix that makes a disk of this size visible at `folder` to that command only."""
    return ["unshare", "-Urm", "sh", "-c", _MOUNT, "sh", size, str(folder)]


@pytest.fixture
def own_disks(tmp_path):
    """Skip the test where only root may create a mount namespace."""
    try:
        tried = subprocess.run([*on_a_small_disk(tmp_path, "1m"), "true"], capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"`unshare` cannot be run here: {error}")
    if tried.returncode:
        pytest.skip(f"this machine lets nobody mount in a namespace of their own: {tried.stderr.strip()}")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_full_disk_ends_the_run_with_its_last_checkpoint_whole_and_it_goes_on_from_there(
    own_disks, launch, start_worker
):
    run = launch(epochs=2.0, checkpoint_every=1, keep_checkpoints=100)
    run.folder.mkdir(parents=True)
    worker = start_worker(prefix=on_a_small_disk(run.folder, "2m"))

    def ended():
        return Job.objects.get(pk=run.pk).is_finished

    services.wait_until(ended, seconds=900, what="the end on a full disk")
    run = TrainingRun.objects.get(pk=run.pk)
    assert (run.status, run.error_code, run.attempt) == (Job.Status.FAILED, "disk_full", 1), run.error_message
    # The run's folder in the worker's mount namespace, which has the small disk.
    seen = Path(f"/proc/{worker.process.pid}/root{run.folder}")
    last, problems = checkpoints.newest_whole(seen)
    assert last is not None and problems == []
    assert f"that of step {last.step} is kept" in run.error_message
    failed_at = re.search(r"the checkpoint of step (\d+) could not", run.error_message)
    assert failed_at is not None and int(failed_at[1]) == last.step + 1

    entered = ["nsenter", "-t", str(worker.process.pid), "-U", "--preserve-credentials", "-m"]
    subprocess.run([*entered, "mount", "-o", "remount,size=100m", str(run.folder)], check=True)
    jobs.try_again(job=Job.objects.get(pk=run.pk), user=run.created_by)
    services.wait_until(ended, seconds=900, what="the end with room on the disk")
    run.refresh_from_db()
    assert (run.status, run.attempt) == (Job.Status.SUCCEEDED, 2), run.error_message
    assert run.events.filter(message=f"Continuing from the checkpoint of step {last.step}.").exists()
    assert list(run.metrics.filter(split="train").values_list("step", flat=True)) == list(range(1, 19))


@pytest.fixture(scope="module")
def long_rows(tmp_path_factory):
    """Rows close to the base's maximum length: attention memory grows with the square of the length."""
    folder = tmp_path_factory.mktemp("files")
    filler = "Please read this too. " * 150
    rows = [case | {"instruction": case["instruction"] + filler} for case in generate_cases(48)]
    write_jsonl(folder / "train.jsonl", rows[:32])
    write_jsonl(folder / "validation.jsonl", rows[32:33])
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("megabytes", "ends"), [(700, "error"), (20_000, "done")])
def test_too_little_memory_is_said_with_what_helps(long_rows, tmp_path, megabytes, ends):
    """Control: with a limit of 20 GB more, which is never reached, the same run succeeds."""
    few = {"batch_size": 16 if ends == "error" else 1, "epochs": 0.5 if ends == "error" else 0.05}
    config = few | {"method": "lora", "max_length": 2048, "sample_prompts": 0, "evaluate_every": 0}
    job_file = tmp_path / "job.json"
    job_file.write_text(json.dumps(training_job(long_rows, tmp_path / "adapter", **config)))
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.small_memory", str(megabytes), str(job_file)],
        cwd=services.ROOT,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["event"] == ends, f"{last}\n{done.stderr[-2000:]}"
    if ends == "error":
        assert last["code"] == "out_of_memory", f"{last}\n{done.stderr[-2000:]}"
        assert "lower the batch size" in last["message"] and "Traceback" not in last["message"]
        assert not (tmp_path / "adapter").exists()
