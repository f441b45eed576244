"""Checkpoints on disk: whole or absent, and never the last one removed."""

import shutil

import pytest

from training import checkpoints
from training.artefacts import MANIFEST, publish


def save(run_folder, step, *, attempt=1, validation_loss=None):
    facts = {
        "step": step,
        "loss": 1.0,
        "token_accuracy": 0.5,
        "validation_loss": validation_loss,
        "validation_token_accuracy": None,
    }

    def write(folder):
        (folder / "weights").write_bytes(bytes(step))
        return facts

    target = checkpoints.target(run_folder / f"attempt-{attempt}", step)
    publish(target, write)
    return target


def steps(run_folder):
    return [each.step for each in checkpoints.saved(run_folder)]


def test_checkpoints_of_all_attempts_are_listed_by_step_and_the_later_attempt_wins(tmp_path):
    for attempt, step in ((1, 2), (1, 4), (2, 4), (10, 6), (9, 6)):
        save(tmp_path, step, attempt=attempt)
    found = checkpoints.saved(tmp_path)
    assert [each.path.parent.parent.name for each in found] == ["attempt-1", "attempt-2", "attempt-10"]
    assert [each.bytes for each in found] == [2, 4, 6]


def test_a_folder_without_its_manifest_is_no_checkpoint(tmp_path):
    (save(tmp_path, 4) / MANIFEST).unlink()
    save(tmp_path, 2)
    assert steps(tmp_path) == [2]


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "weights").write_bytes(b"xxxx"),
        lambda folder: (folder / "weights").write_bytes(b""),
        lambda folder: (folder / "weights").unlink(),
        lambda folder: (folder / MANIFEST).write_text("{"),
    ],
)
def test_the_newest_whole_one_is_found_behind_a_damaged_one(tmp_path, damage):
    save(tmp_path, 2)
    damage(save(tmp_path, 4))
    found, _ = checkpoints.newest_whole(tmp_path)
    assert found is not None and found.step == 2


def test_a_damaged_checkpoint_is_named(tmp_path):
    (save(tmp_path, 4) / "weights").write_bytes(b"xxxx")
    found, (problem,) = checkpoints.newest_whole(tmp_path)
    assert found is None and "step 4" in problem and "SHA-256" in problem


def test_pruning_keeps_the_newest_and_the_best(tmp_path):
    for step, loss in ((1, 3.0), (2, 1.0), (3, 2.0), (4, 2.5), (5, None)):
        save(tmp_path, step, attempt=step, validation_loss=loss)
    checkpoints.prune(tmp_path, keep=2, keep_best=True)
    assert steps(tmp_path) == [2, 4, 5]
    assert [each.step for each in checkpoints.saved(tmp_path) if each.is_best] == [2]
    checkpoints.prune(tmp_path, keep=1, keep_best=False)
    assert steps(tmp_path) == [5]


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path):
    whole = save(tmp_path, 2)
    (whole.parent / ".step-0000000004.x").mkdir()
    checkpoints.remove_unfinished(tmp_path)
    assert list(whole.parent.iterdir()) == [whole]


def test_an_interrupted_removal_leaves_no_checkpoint(tmp_path, monkeypatch):
    save(tmp_path, 2)
    save(tmp_path, 4)
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    checkpoints.prune(tmp_path, keep=1, keep_best=False)
    assert steps(tmp_path) == [4]
