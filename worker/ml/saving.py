"""Checkpoints as artefacts: complete or absent, verified before use, and without pickles that can execute code."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training import checkpoints
from training.artefacts import publish, verify
from worker.ml.errors import MlError

# The files that a resumed run reads. The trainer also writes the tokenizer and a pickle of its arguments.
_NEEDED = (
    "adapter_config.json",
    "adapter_model.safetensors",
    "optimizer.pt",
    "scheduler.pt",
    "trainer_state.json",
)
_STATE = "trainer_state.json"


def staging(attempt_folder: Path) -> Path:
    """Where the trainer writes before a checkpoint is published: on the same disk, and removed when stale."""
    return attempt_folder / checkpoints.FOLDER / ".staging"


def publish_checkpoint(attempt_folder: Path, step: int, facts: Mapping[str, Any]) -> Path:
    """Publish the staged files of this step as a checkpoint; returns its folder."""
    staged = staging(attempt_folder) / f"checkpoint-{step}"

    def move(folder: Path) -> Mapping[str, Any]:
        for file in staged.iterdir():
            if file.name in _NEEDED or file.name.startswith("rng_state"):
                file.rename(folder / file.name)
        return {"step": step, **facts}

    target = checkpoints.target(attempt_folder, step)
    try:
        publish(target, move)
    except OSError as error:
        raise explain_failed_save(error, attempt_folder, step) or error from error
    shutil.rmtree(staged, ignore_errors=True)
    return target


def read_checkpoint(folder: Path, *, expected: Mapping[str, Any]) -> dict[str, Any]:
    """The trainer's state in a checkpoint, after checking that it is complete and belongs to this run's data and base.

    `expected` are facts that must match. Raises ArtefactError, or MlError with code checkpoint_other_run or
    checkpoint_damaged.
    """
    facts = verify(folder)
    different = [name for name, value in expected.items() if facts.get(name) != value]
    if different:
        raise MlError(
            "checkpoint_other_run",
            f"The checkpoint {folder.name} was made with another {' and '.join(different)}; "
            "start the run from the beginning.",
        )
    try:
        state: dict[str, Any] = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MlError(
            "checkpoint_damaged", f"The checkpoint {folder.name} has no readable {_STATE}; choose another."
        ) from error
    return state


def explain_failed_save(error: Exception, attempt_folder: Path, step: int) -> MlError | None:
    """The MlError for a full disk, whichever library reported it; None for any other error."""
    text = str(error)
    known = any(words in text for words in ("No space left", "Disk quota", "File too large"))
    # PyTorch's writer reports only that it could not write, not why.
    if not known and not any(
        words in text for words in ("PytorchStreamWriter", "inline_container", "iostream")
    ):
        return None
    last = [each.step for each in checkpoints.saved(attempt_folder.parent)]
    kept = f"that of step {last[-1]:,} is kept" if last else "no earlier one exists"
    return MlError(
        "disk_full",
        f"The disk is full: the checkpoint of step {step:,} could not be saved; {kept}. Free some space and retry "
        "from there."
        if last
        else f"The disk is full: the checkpoint of step {step:,} could not be saved, and {kept}. Free some space and "
        "start again.",
    )
