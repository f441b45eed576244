"""Supervised fine-tuning of one adapter: `python -m worker.ml.train JOB.json`.

Reads top to bottom: check everything that can be checked, load, build, train, prove the adapter works,
publish. Events on stdout are described in `worker.ml.protocol`; the result is an artefact folder
(`training.artefacts`).
"""

import math
import resource
import shutil
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from training.artefacts import ArtefactError, file_sha256, publish
from training.config import TrainingConfig
from worker.ml.data import TokenisedRow, keep_fitting, read_rows, tokenise_rows
from worker.ml.errors import MlError
from worker.ml.models import device_name, inspect_base, load_base, load_tokenizer, resolve_base, stop_ids
from worker.ml.protocol import Reporter, run_command

LIBRARIES = ("torch", "transformers", "trl", "peft", "bitsandbytes", "accelerate")


class TrainJob(BaseModel):
    """The job file; `output_dir` must not exist, `resume_from` is a checkpoint folder of an earlier
    attempt."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_model: str
    train_file: Path
    validation_file: Path
    output_dir: Path
    config: TrainingConfig
    resume_from: Path | None = None


def main(reporter: Reporter, raw_job: dict[str, Any]) -> None:
    """Run one job; emits stage, step, evaluation, checkpoint and at last done or cancelled."""
    job = _parse(raw_job)
    with reporter.quiet_stage("checking inputs"):
        base_path = resolve_base(job.base_model)
        base = inspect_base(base_path)
        _check_context(base, job.config)
        tokenizer = load_tokenizer(base_path, embedding_rows=base["vocab"])
        ends = stop_ids(tokenizer, base_path)
        splits, dropped = _tokenise(job, tokenizer, ends)
    with reporter.quiet_stage("loading model"):
        device = device_name()
        quantisation = "nf4" if job.config.method == "qlora" else "none"
        model = load_base(base_path, quantisation=quantisation, device=device)
        trainer, recorder = _build_trainer(reporter, job, model, tokenizer, splits, device)
    reporter.stage("training")
    trainer.train(resume_from_checkpoint=str(job.resume_from) if job.resume_from else None)
    recorder.raise_if_stopped()
    with reporter.quiet_stage("checking adapter"):
        effect = _prove_effect(trainer.model, splits["validation"][0])
    facts = {
        "base": base | {"name": job.base_model if "@" in job.base_model else base_path.name},
        "template_hash": base["template_hash"],
        "config": job.config.model_dump(),
        "quantisation": quantisation,
        "libraries": {name: version(name) for name in LIBRARIES},
        "datasets": {
            name: {"rows": len(splits[name]), "sha256": file_sha256(file), "dropped": dropped[name]}
            for name, file in _files(job).items()
        },
        "metrics": recorder.summary(),
        "adapter": effect,
        "device": device,
        "peak_memory_bytes": _peak_memory(device),
    }
    with reporter.quiet_stage("saving"):
        digest = publish(job.output_dir, lambda folder: _save(trainer.model, folder, facts))
        shutil.rmtree(_work_folder(job), ignore_errors=True)
    reporter.emit("done", artefact=str(job.output_dir), facts=facts | {"manifest_sha256": digest})


def _parse(raw_job: dict[str, Any]) -> TrainJob:
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
    if job.resume_from and not (job.resume_from / "trainer_state.json").is_file():
        raise MlError(
            "checkpoint_missing", f"{job.resume_from} is not a checkpoint; start the run from the beginning."
        )
    return job


def _files(job: TrainJob) -> dict[str, Path]:
    return {"train": job.train_file, "validation": job.validation_file}


def _tokenise(
    job: TrainJob, tokenizer: Any, ends: set[int]
) -> tuple[dict[str, list[TokenisedRow]], dict[str, dict[str, Any]]]:
    """The rows of both splits, and by split what was left out of them because its end token would not fit."""
    longest = job.config.max_length
    limit = longest if job.config.long_rows == "refuse" else None
    rows = {
        name: tokenise_rows(read_rows(file), tokenizer, ends, limit) for name, file in _files(job).items()
    }
    kept = {name: keep_fitting(split, longest) for name, split in rows.items()}
    return {name: pair[0] for name, pair in kept.items()}, {name: pair[1] for name, pair in kept.items()}


def _check_context(base: dict[str, Any], config: TrainingConfig) -> None:
    if base["context"] and config.max_length > base["context"]:
        raise MlError(
            "max_length_too_long",
            f"max_length {config.max_length} exceeds the {base['context']} tokens the base model can read; "
            f"lower it.",
        )


def plan_steps(rows: int, config: TrainingConfig) -> tuple[int, int]:
    """(steps an epoch, steps in all) for so many rows; a step is one update of the weights."""
    batches = math.ceil(rows / config.batch_size)
    per_epoch = math.ceil(batches / config.gradient_accumulation)
    return per_epoch, math.ceil(config.epochs * per_epoch)


def _build_trainer(
    reporter: Reporter,
    job: TrainJob,
    model: Any,
    tokenizer: Any,
    splits: dict[str, list[TokenisedRow]],
    device: str,
) -> tuple[Any, Any]:
    from peft import LoraConfig
    from trl import SFTTrainer

    from worker.ml.recorder import Recorder

    per_epoch, total = plan_steps(len(splits["train"]), job.config)
    recorder = Recorder(reporter, evaluate_every=job.config.evaluate_every or per_epoch, total_steps=total)
    trainer = SFTTrainer(
        model=model,
        args=_arguments(job, total, device),
        train_dataset=_dataset(splits["train"]),
        eval_dataset=_dataset(splits["validation"]),
        processing_class=tokenizer,
        peft_config=LoraConfig(
            r=job.config.lora_r,
            lora_alpha=job.config.lora_alpha,
            lora_dropout=job.config.lora_dropout,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
        callbacks=[recorder],
    )
    # TRL makes a quantised model's adapter bf16, but a resumed one is loaded as fp32: in fp32 from the
    # start, an interrupted run equals an uninterrupted one bit for bit.
    for parameter in trainer.model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return trainer, recorder


def _arguments(job: TrainJob, total_steps: int, device: str) -> Any:
    from trl import SFTConfig

    config = job.config
    return SFTConfig(
        output_dir=str(_work_folder(job)),
        max_steps=total_steps,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=config.batch_size,
        gradient_accumulation_steps=config.gradient_accumulation,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.schedule,
        warmup_steps=math.ceil(config.warmup_fraction * total_steps),
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        optim="adamw_torch",
        seed=config.seed,
        bf16=device == "cuda",
        use_cpu=device == "cpu",
        dataloader_pin_memory=device == "cuda",
        gradient_checkpointing=False,  # it costs a third of the speed; a smaller batch saves memory too
        completion_only_loss=True,
        max_length=None,  # `tokenise_rows` has refused rows that are too long; nothing may be cut here
        eval_strategy="no",  # the recorder asks for evaluations and checkpoints
        save_strategy="no",
        eval_on_start=True,
        prediction_loss_only=True,
        save_total_limit=1,
        logging_steps=1,
        logging_nan_inf_filter=False,  # a loss that is not a number must be seen
        disable_tqdm=True,
        report_to="none",
    )


def _dataset(rows: list[TokenisedRow]) -> Any:
    from datasets import Dataset

    return Dataset.from_dict(
        {
            "input_ids": [row.input_ids for row in rows],
            "completion_mask": [row.completion_mask for row in rows],
        }
    )


def _work_folder(job: TrainJob) -> Path:
    """Checkpoints live beside the artefact, never in it."""
    return job.output_dir.with_name(f".{job.output_dir.name}.checkpoints")


def _prove_effect(model: Any, row: TokenisedRow) -> dict[str, float]:
    from worker.ml.adapters import require_effect

    return require_effect(model, row.input_ids)


def _save(model: Any, folder: Path, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    # The adapter must not carry a path of this machine; the manifest identifies the base by its hash.
    model.peft_config["default"].base_model_name_or_path = facts["base"]["name"]
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    return facts


def _peak_memory(device: str) -> int:
    """Bytes: allocated on the GPU, or resident in this process on a CPU."""
    if device == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(run_command(main))
