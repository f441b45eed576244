"""Build a trainer that is ready to start from checked inputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transformers import PrinterCallback

from training.checkpoints import saved
from worker.ml.adapters import adapter_config, load_adapter_weights, principal_start
from worker.ml.attention import attend_row_by_row
from worker.ml.batching import TrainingOrder
from worker.ml.data import TokenisedRow
from worker.ml.processes import all_agree, is_first_process
from worker.ml.protocol import Reporter
from worker.ml.recorder import Plan, Recorder, alone_agrees
from worker.ml.samples import Answers
from worker.ml.saving import staging
from worker.ml.train_job import Inputs, TrainJob, identity, plan_steps, warmup_steps
from worker.ml.trainer import AdapterTrainer


@dataclass(frozen=True)
class Setup:
    """A trainer that is ready to start, its recorder, and the initial values of a PiSSA adapter."""

    trainer: AdapterTrainer
    recorder: Recorder
    principal_start: dict[str, Any] | None


def set_up(reporter: Reporter, job: TrainJob, inputs: Inputs, model: Any, device: str) -> Setup:
    """Add an adapter to `model` and create the trainer."""
    config = job.config
    per_epoch, total = plan_steps(len(inputs.splits["train"]), config)
    evaluate_every = config.evaluate_every or per_epoch
    plan = Plan(
        total,
        evaluate_every,
        config.checkpoint_every or evaluate_every,
        config.patience,
        3600 * config.max_hours,
        learns_from=2 if warmup_steps(config, total) else 1,
    )
    recorder = Recorder(
        reporter,
        plan,
        attempt_folder=job.attempt_folder,
        identity=identity(job, inputs.base),
        answers=Answers(
            reporter, inputs.tokenizer, inputs.ends, inputs.rows["validation"][: config.sample_prompts]
        ),
        agree=all_agree if config.devices > 1 else alone_agrees,
        is_first=is_first_process(),
    )
    # A batch of one row has no padding.
    padding_free = config.batching == "padding_free" and config.batch_size > 1 and attend_row_by_row(model)
    # Longest first: an evaluation that would run out of memory does so before the first step.
    validation = sorted(inputs.splits["validation"], key=lambda row: len(row.input_ids), reverse=True)
    trainer = AdapterTrainer(
        order=TrainingOrder(len(inputs.splits["train"]), seed=config.seed),
        attempt_folder=job.attempt_folder,
        model=model,
        args=_arguments(job, plan, device, inputs.state, padding_free=padding_free),
        train_dataset=_dataset(inputs.splits["train"]),
        eval_dataset=_dataset(validation),
        processing_class=inputs.tokenizer,
        peft_config=adapter_config(model, config),
        callbacks=[recorder],
    )
    # It prints every step to the attempt's log, which repeats the recorder's events.
    trainer.remove_callback(PrinterCallback)
    # TRL makes a quantised model's adapter bf16, but a resumed one is loaded as fp32: in fp32 from the
    # start, an interrupted run equals an uninterrupted one bit for bit.
    for parameter in trainer.model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    if inputs.state is not None:
        trainer.count_tokens_from(_tokens_so_far(inputs.state))
    pissa = config.initialisation == "pissa"
    return Setup(trainer, recorder, principal_start(trainer.model) if pissa else None)


def _tokens_so_far(state: Mapping[str, Any]) -> int:
    return max(
        (int(entry["num_tokens"]) for entry in state["log_history"] if "num_tokens" in entry), default=0
    )


def _is_evaluation_due(plan: Plan, state: Mapping[str, Any] | None) -> bool:
    """Whether to evaluate at the start: always before the first step, and after an interruption if an evaluation was
    due."""
    if state is None:
        return True
    step = state["global_step"]
    is_evaluated = any("eval_loss" in entry and entry["step"] == step for entry in state["log_history"])
    return plan.is_evaluated(step) and not is_evaluated


def keep_best(job: TrainJob, setup: Setup) -> int:
    """With patience, restore the adapter of the best validation. Returns the step whose adapter is kept."""
    last: int = setup.trainer.state.global_step
    if not job.config.patience:
        return last
    best = next((each for each in saved(job.attempt_folder.parent) if each.is_best), None)
    if (
        best is None
        or best.validation_loss is None
        or best.validation_loss >= setup.recorder.last_validation_loss
    ):
        return last
    load_adapter_weights(setup.trainer.model, best.path)
    return best.step


def _arguments(
    job: TrainJob, plan: Plan, device: str, state: Mapping[str, Any] | None, *, padding_free: bool
) -> Any:
    from trl import SFTConfig

    config = job.config
    return SFTConfig(
        output_dir=str(staging(job.attempt_folder)),
        max_steps=plan.total_steps,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=config.batch_size,
        gradient_accumulation_steps=config.gradient_accumulation,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.schedule,
        warmup_steps=warmup_steps(config, plan.total_steps),
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        optim="adamw_torch" if config.optimizer == "adamw" else config.optimizer,
        seed=config.seed,
        bf16=device != "cpu",
        use_cpu=device == "cpu",
        ddp_backend="gloo" if device == "cpu" and config.devices > 1 else None,
        ddp_find_unused_parameters=False,
        dataloader_pin_memory=device != "cpu",
        gradient_checkpointing=False,  # it costs a third of the speed; a smaller batch saves memory too
        completion_only_loss=True,
        padding_free=padding_free,
        max_length=None,  # `tokenise_rows` has refused rows that are too long; nothing may be cut here
        eval_strategy="no",  # the recorder asks for evaluations and checkpoints, and publishes them
        save_strategy="no",
        eval_on_start=_is_evaluation_due(plan, state),
        prediction_loss_only=True,
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
