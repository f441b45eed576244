"""A writer that is killed at any point of a checkpoint leaves the last good one, and never half of a new one (J3).

Each point is real: the process kills itself with SIGKILL at its n-th call that touches the disk, for every n until
the writing succeeds.
"""

import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.services import ROOT
from tests.training.test_checkpoints import save
from training import checkpoints
from training.artefacts import MANIFEST, verify

DYING = """
import os, signal, sys
from pathlib import Path

run, last_call = Path(sys.argv[1]), int(sys.argv[2])
calls = 0

def count(event, arguments):
    global calls
    if event in ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.listdir", "os.scandir"):
        calls += 1
        if calls == last_call:
            os.kill(os.getpid(), signal.SIGKILL)
"""
WRITER = (
    DYING
    + """
from worker.ml.saving import publish_checkpoint, staging

attempt = run / "attempt-2"
staged = staging(attempt) / "checkpoint-4"
staged.mkdir(parents=True)
for name in ("adapter_model.safetensors", "optimizer.pt", "rng_state.pth", "trainer_state.json", "training_args.bin"):
    (staged / name).write_bytes(os.urandom(2000))
facts = {"loss": 1.0, "token_accuracy": 0.5, "validation_loss": None, "validation_token_accuracy": None}
sys.addaudithook(count)
publish_checkpoint(attempt, 4, facts)
"""
)
PRUNER = (
    DYING
    + """
from training import checkpoints

sys.addaudithook(count)
checkpoints.prune(run, keep=1, keep_best=False)
"""
)


def killed_at_every_call(code: str, fresh: Callable[[], Path]) -> Iterator[tuple[Path, bool]]:
    """Run `code` on a fresh run folder, killed at its first call, its second, ... until it lives; yields each
    folder, and whether it lived."""
    for last_call in range(1, 500):
        run = fresh()
        done = subprocess.run(
            [sys.executable, "-c", code, str(run), str(last_call)], cwd=ROOT, capture_output=True, timeout=60
        )
        assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
        yield run, done.returncode == 0
        if done.returncode == 0:
            assert last_call > 8, "this touches the disk more often than that"
            return


def test_killed_at_every_point_of_writing_the_new_checkpoint_is_whole_or_absent(tmp_path: Path):
    numbers = itertools.count()

    def fresh() -> Path:
        run = tmp_path / f"run-{next(numbers)}"
        save(run, 2)
        return run

    seen = []
    for run, lived in killed_at_every_call(WRITER, fresh):
        found, problems = checkpoints.newest_whole(run)
        assert found is not None and problems == []
        seen.append(found.step)
        if found.step == 4:
            files = json.loads((found.path / MANIFEST).read_text())["files"]
            assert len(files) == 4 and "training_args.bin" not in files
        checkpoints.remove_unfinished(run)
        assert lived or not list(run.glob("attempt-*/checkpoints/.*"))
    assert seen == sorted(seen) and set(seen) == {2, 4}


def test_killed_at_every_point_of_pruning_the_newest_stays(tmp_path: Path):
    numbers = itertools.count()

    def fresh() -> Path:
        run = tmp_path / f"run-{next(numbers)}"
        for step in (2, 4, 6):
            save(run, step, attempt=step)
        return run

    for run, lived in killed_at_every_call(PRUNER, fresh):
        found, problems = checkpoints.newest_whole(run)
        assert found is not None and found.step == 6 and problems == []
        for each in checkpoints.saved(run):
            verify(each.path)
        assert not lived or [each.step for each in checkpoints.saved(run)] == [6]


def test_without_the_rename_the_check_would_see_half_a_checkpoint(tmp_path: Path):
    """The control: the same files in the same place without a manifest are no checkpoint, and a manifest over cut
    files is none either."""
    target = checkpoints.target(tmp_path / "attempt-1", 4)
    target.mkdir(parents=True)
    (target / "optimizer.pt").write_bytes(b"1234")
    assert checkpoints.newest_whole(tmp_path) == (None, [])
    facts = {
        "step": 4,
        "loss": 1,
        "token_accuracy": 1,
        "validation_loss": None,
        "validation_token_accuracy": None,
    }
    files = {"optimizer.pt": {"bytes": 5, "sha256": "0" * 64}}
    (target / "manifest.json").write_text(json.dumps({"facts": facts, "files": files}))
    found, problems = checkpoints.newest_whole(tmp_path)
    assert found is None and len(problems) == 1
