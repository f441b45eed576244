"""The job file of a training command, and all checks that need no weights."""

import datetime
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from training.artefacts import ArtefactError, file_sha256
from training.config import TrainingConfig
from worker.ml.chat import Rendering, rendering, template_hash, use_rendering
from worker.ml.data import Row, TokenisedRow, keep_fitting, read_rows, render_for, tokenise_rows
from worker.ml.errors import MlError
from worker.ml.models import inspect_base, load_tokenizer, resolve_base, stop_ids
from worker.ml.saving import read_checkpoint


class TrainJob(BaseModel):
    """The job file. `output_dir` must not exist. `resume_from` is a checkpoint folder of an earlier attempt.
    Checkpoints are saved beside the result. `date` is what a dated chat template prints, so that every attempt of a
    run prints the same; None is today."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_model: str
    train_file: Path
    validation_file: Path
    output_dir: Path
    config: TrainingConfig
    resume_from: Path | None = None
    date: datetime.date | None = None

    @property
    def attempt_folder(self) -> Path:
        return self.output_dir.parent


def parse(raw_job: dict[str, Any]) -> TrainJob:
    try:
        job = TrainJob.model_validate(raw_job)
    except ValidationError as error:
        first = error.errors()[0]
        raise MlError(
            "job_invalid", f"The job's {'.'.join(map(str, first['loc']))}: {first['msg']}."
        ) from error
    if job.output_dir.exists():
        raise ArtefactError(
            "artefact_exists", f"{job.output_dir} exists already; an artefact is never overwritten."
        )
    return job


@dataclass(frozen=True)
class Inputs:
    """Everything that is known before weights are read. `dropped` counts, for each split, the rows left out because
    their end token would not fit. `state` is the trainer's state in the checkpoint to resume from."""

    base_path: Path
    base: dict[str, Any]
    tokenizer: Any
    ends: set[int]
    rows: dict[str, list[Row]]
    splits: dict[str, list[TokenisedRow]]
    dropped: dict[str, dict[str, Any]]
    state: dict[str, Any] | None


def read_inputs(job: TrainJob) -> Inputs:
    base_path = resolve_base(job.base_model)
    base = inspect_base(base_path)
    if base["context"] and job.config.max_length > base["context"]:
        raise MlError(
            "max_length_too_long",
            f"max_length {job.config.max_length} exceeds the {base['context']} tokens the base model can read; "
            "lower it.",
        )
    tokenizer = load_tokenizer(base_path, embedding_rows=base["vocab"])
    ends = stop_ids(tokenizer, base_path)
    rows = {
        name: read_rows(file)
        for name, file in {"train": job.train_file, "validation": job.validation_file}.items()
    }
    _choose_rendering(job, tokenizer, rows["train"])
    base["template_hash"] = template_hash(tokenizer)
    longest = job.config.max_length
    limit = longest if job.config.long_rows == "refuse" else None
    trained = job.config.trained_turns
    tokenised = {
        name: tokenise_rows(split_rows, tokenizer, ends, limit, trained=trained)
        for name, split_rows in rows.items()
    }
    fitting = {name: keep_fitting(split_rows, longest) for name, split_rows in tokenised.items()}
    splits = {name: kept for name, (kept, _) in fitting.items()}
    dropped = {name: left_out for name, (_, left_out) in fitting.items()}
    state = read_checkpoint(job.resume_from, expected=identity(job, base)) if job.resume_from else None
    return Inputs(base_path, base, tokenizer, ends, rows, splits, dropped, state)


def _choose_rendering(job: TrainJob, tokenizer: Any, rows: list[Row]) -> None:
    needed = rendering(tokenizer)
    if needed.date and job.date:
        use_rendering(tokenizer, Rendering(system=needed.system, date=job.date.isoformat()))
    render_for(rows, tokenizer)


def identity(job: TrainJob, base: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that must match for a checkpoint to be resumed."""
    return {"base": base["sha256"], "training data": file_sha256(job.train_file), "seed": job.config.seed}


def plan_steps(rows: int, config: TrainingConfig) -> tuple[int, int]:
    """(steps per epoch, total steps) for this number of rows. A step is one update of the weights."""
    batches = math.ceil(math.ceil(rows / config.batch_size) / config.devices)
    per_epoch = math.ceil(batches / config.gradient_accumulation)
    return per_epoch, math.ceil(config.epochs * per_epoch)


def warmup_steps(config: TrainingConfig, total: int) -> int:
    """Steps of warm-up; the first has a learning rate of 0. A run of one step has none, because it would not change
    the adapter."""
    return min(math.ceil(config.warmup_fraction * total), total - 1)
