"""Find, verify and remove checkpoints on disk.

The files are the truth: a checkpoint exists when its manifest does, because the manifest is written last and the
folder appears by a rename (`training.artefacts.publish`). Each attempt writes into a folder of its own, so that an
attempt wrongly considered dead cannot disturb another.

    RUN/attempt-2/checkpoints/step-0000000120/manifest.json
"""

import json
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from training.artefacts import MANIFEST, ArtefactError, verify

FOLDER = "checkpoints"


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint. Losses are means in nats per trained token, None before the first measurement."""

    step: int
    path: Path
    bytes: int
    saved_at: datetime
    loss: float | None
    token_accuracy: float | None
    validation_loss: float | None
    validation_token_accuracy: float | None
    is_best: bool


def target(attempt_folder: Path, step: int) -> Path:
    return attempt_folder / FOLDER / f"step-{step:010}"


def saved(run_folder: Path) -> list[Checkpoint]:
    """The complete checkpoints of all attempts, by step. For the same step, the later attempt's is used.

    Reads manifests only; `newest_whole` also compares every file with its hash.
    """
    by_step: dict[int, Checkpoint] = {}
    for folder in sorted(run_folder.glob(f"attempt-*/{FOLDER}/step-*"), key=_attempt):
        checkpoint = _read(folder)
        if checkpoint is not None:
            by_step[checkpoint.step] = checkpoint
    ordered = [by_step[step] for step in sorted(by_step)]
    measured = [each for each in ordered if each.validation_loss is not None]
    best = min(measured, key=lambda each: each.validation_loss or 0.0, default=None)
    return [_marked(each, best) for each in ordered]


def newest_whole(run_folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint whose files all match their recorded size and hash, and why newer ones were skipped."""
    problems = []
    for checkpoint in reversed(saved(run_folder)):
        try:
            verify(checkpoint.path)
        except (ArtefactError, OSError) as error:
            problems.append(f"The checkpoint of step {checkpoint.step} is not usable: {error}")
        else:
            return checkpoint, problems
    return None, problems


def prune(run_folder: Path, *, keep: int, keep_best: bool) -> None:
    """Remove all checkpoints but the newest `keep` and, with `keep_best`, the best one."""
    everything = saved(run_folder)
    wanted = {each.path for each in everything[-keep:]}
    wanted |= {each.path for each in everything if keep_best and each.is_best}
    for folder in run_folder.glob(f"attempt-*/{FOLDER}/step-*"):
        if folder not in wanted:
            _remove(folder)


def remove_all(run_folder: Path) -> None:
    """Remove every checkpoint of a run, complete or not."""
    for folder in run_folder.glob(f"attempt-*/{FOLDER}"):
        shutil.rmtree(folder, ignore_errors=True)


def remove_unfinished(run_folder: Path) -> None:
    """Remove incomplete checkpoints of killed attempts; call before an attempt starts."""
    for folder in run_folder.glob(f"attempt-*/{FOLDER}/.*"):
        shutil.rmtree(folder, ignore_errors=True)


def _attempt(folder: Path) -> int:
    number = folder.parent.parent.name.removeprefix("attempt-")
    return int(number) if number.isdigit() else 0


def _read(folder: Path) -> Checkpoint | None:
    manifest = folder / MANIFEST
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
        facts, files = content["facts"], content["files"]
        return Checkpoint(
            step=int(facts["step"]),
            path=folder,
            bytes=sum(int(file["bytes"]) for file in files.values()),
            saved_at=datetime.fromtimestamp(manifest.stat().st_mtime, UTC),
            loss=facts["loss"],
            token_accuracy=facts["token_accuracy"],
            validation_loss=facts["validation_loss"],
            validation_token_accuracy=facts["validation_token_accuracy"],
            is_best=False,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _marked(checkpoint: Checkpoint, best: Checkpoint | None) -> Checkpoint:
    return replace(checkpoint, is_best=checkpoint is best)


def _remove(folder: Path) -> None:
    """Remove the manifest first, so that an interrupted removal leaves no valid checkpoint."""
    (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
