"""The trainer's callback that reports a training run, schedules evaluations and checkpoints, and stops the run."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from worker.ml.errors import MlError
from worker.ml.memory import memory_in_use
from worker.ml.protocol import Cancelled, Reporter
from worker.ml.samples import Answers
from worker.ml.saving import publish_checkpoint

Figures = dict[str, Any]
_HISTORY_CHUNK = 500
_SAME_NAME = (
    *("step", "total_steps", "epoch", "loss", "learning_rate", "grad_norm"),
    *("tokens_per_second", "memory_bytes", "seconds"),
)


@dataclass(frozen=True)
class Plan:
    """The schedule of a run in steps (updates of the weights). 0 for `patience` and `max_seconds` means never.

    `learns_from` is the first step that changes the adapter. With warm-up, the learning rate of the first step is 0.
    """

    total_steps: int
    evaluate_every: int
    checkpoint_every: int
    patience: int
    max_seconds: float
    learns_from: int

    def is_evaluated(self, step: int) -> bool:
        return step in (0, self.total_steps) or step % self.evaluate_every == 0

    def is_saved(self, step: int) -> bool:
        """Whether a checkpoint is due. The last step needs none: the adapter replaces it. With patience, every
        evaluation is saved, because it may turn out to be the best."""
        due = step % self.checkpoint_every == 0 or (self.patience > 0 and self.is_evaluated(step))
        return due and step < self.total_steps


class Recorder(TrainerCallback):
    """Reports every step, evaluation and checkpoint, and ends training on request, on timeout or when patience runs
    out.

    There is always an evaluation before the first step and one after the last. `identity` holds the facts that assign a
    checkpoint to its run. With several processes, all make the same decisions and the first one reports.
    """

    def __init__(
        self,
        reporter: Reporter,
        plan: Plan,
        *,
        attempt_folder: Path,
        identity: Mapping[str, Any],
        answers: Answers,
        agree: Callable[[int], int],
        is_first: bool,
    ) -> None:
        self._reporter, self._plan, self._answers = reporter, plan, answers
        self._attempt_folder, self._identity = attempt_folder, identity
        self._agree, self._is_first = agree, is_first
        self._began = self._step_began = time.monotonic()
        self._seconds_before = 0.0
        self._steps: list[Figures] = []
        self._evaluations: list[Figures] = []
        self._checkpoint: str | None = None
        self._stopped_at: int | None = None
        self._ended_by: str | None = None

    def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Start the clock, because loading is not training time. Report the figures of an earlier attempt again: its
        last steps may not have been stored."""
        self._began = time.monotonic()
        for entry in state.log_history:
            self._remember(entry)
        if self._steps:
            self._seconds_before = self._steps[-1]["seconds"]
        for start in range(0, len(self._steps), _HISTORY_CHUNK):
            self._reporter.emit("history", steps=self._steps[start : start + _HISTORY_CHUNK], evaluations=[])
        if self._evaluations:
            self._reporter.emit("history", steps=[], evaluations=self._evaluations)

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._step_began = time.monotonic()

    def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
        """Schedule an evaluation or a checkpoint if one is due, and stop on request."""
        step = state.global_step
        last = step >= self._plan.total_steps
        stop_requested, over_time = 2, 1
        time_is_up = 0 < self._plan.max_seconds <= self._seconds() and step >= self._plan.learns_from
        decision = self._agree(
            stop_requested if self._reporter.stop_requested else over_time if time_is_up else 0
        )
        control.should_evaluate = self._plan.is_evaluated(step)
        control.should_save = self._plan.is_saved(step)
        if decision == stop_requested and not last:
            self._stopped_at = step
            control.should_evaluate, control.should_save, control.should_training_stop = False, True, True
        elif decision == over_time and not last:
            self._ended_by = "time"
            control.should_evaluate, control.should_training_stop = True, True

    def on_substep_end(self, *_: Any, **__: Any) -> None:
        """Send a heartbeat during a step of many accumulated batches."""
        self._reporter.alive()

    def on_log(self, _args: Any, state: Any, _control: Any, logs: dict[str, float], **_: Any) -> None:
        """Report one step. Summaries are logged too; they have no `loss`."""
        if "loss" not in logs:
            return
        _require_finite(logs["loss"] + logs["grad_norm"], state.global_step)
        took = time.monotonic() - self._step_began
        before = self._steps[-1]["tokens"] if self._steps else 0
        # Also in the trainer's own history, which is saved with each checkpoint.
        entry = state.log_history[-1]
        entry |= {
            "total_steps": self._plan.total_steps,
            "tokens_per_second": round((logs["num_tokens"] - before) / max(took, 1e-9), 1),
            "memory_bytes": memory_in_use(),
            "seconds": self._seconds(),
        }
        self._remember(entry)
        self._reporter.emit("step", **self._steps[-1])

    def on_prediction_step(self, _args: Any, state: Any, *_: Any, **__: Any) -> None:
        """Send a heartbeat during an evaluation, and leave it on request. The last evaluation is always completed,
        because the result needs it, and so is any evaluation that other processes would wait for."""
        self._reporter.alive()
        alone = self._agree is alone_agrees
        if alone and self._reporter.stop_requested and state.global_step < self._plan.total_steps:
            self._stopped_at = state.global_step
            raise Cancelled(step=state.global_step, checkpoint=self._checkpoint)

    def on_evaluate(
        self, _args: Any, state: Any, control: Any, metrics: dict[str, float], model: Any, **_: Any
    ) -> None:
        """Report one evaluation of the whole validation split, generate the sample answers, and end training if
        there has been no improvement for too long."""
        _require_finite(metrics["eval_loss"], state.global_step)
        self._remember(state.log_history[-1])
        self._reporter.emit("evaluation", **self._evaluations[-1])
        if self._is_first:
            self._answers.give(model, step=state.global_step)
        if self._plan.patience and self._validations_without_progress() >= self._plan.patience:
            self._ended_by = self._ended_by or "patience"
            control.should_training_stop = True

    def on_save(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Publish the checkpoint that a later attempt may resume from, and report it."""
        step = state.global_step
        self._agree(0)  # every process has written its part
        if not self._is_first:
            return
        # An adapter that has not changed yet cannot be the best.
        evaluated = next(
            (each for each in self._evaluations[-1:] if each["step"] == step >= self._plan.learns_from), {}
        )
        facts = {
            **self._identity,
            "loss": self._steps[-1]["loss"],
            "token_accuracy": self._steps[-1]["token_accuracy"],
            "validation_loss": evaluated.get("loss"),
            "validation_token_accuracy": evaluated.get("token_accuracy"),
        }
        self._checkpoint = str(publish_checkpoint(self._attempt_folder, step, facts))
        self._reporter.emit("checkpoint", step=step, path=self._checkpoint)

    def raise_if_stopped(self) -> None:
        """Raise Cancelled if training ended because it was asked to."""
        if self._stopped_at is not None:
            raise Cancelled(step=self._stopped_at, checkpoint=self._checkpoint)

    @property
    def last_validation_loss(self) -> float:
        return float(self._evaluations[-1]["loss"])

    def summary(self, *, kept_step: int) -> dict[str, Any]:
        """First and last step, first and kept evaluation, and speed, for the report and the manifest."""
        last = self._steps[-1]
        kept = next(each for each in self._evaluations if each["step"] == kept_step)
        return {
            "steps": last["step"],
            "planned_steps": self._plan.total_steps,
            "ended_by": self._ended_by,
            "kept_step": kept_step,
            "seconds": self._seconds(),
            "tokens": last["tokens"],
            "tokens_per_second": last["tokens"] / last["seconds"],
            "train": {"start": _pick(self._steps[0]), "end": _pick(last)},
            "validation": {"start": _pick(self._evaluations[0]), "end": _pick(kept)},
        }

    def _remember(self, entry: Mapping[str, Any]) -> None:
        """Store the figures of one entry of the trainer's history under our names."""
        if "eval_loss" in entry:
            names = {"loss": "eval_loss", "token_accuracy": "eval_mean_token_accuracy"}
            self._evaluations.append(
                {"step": entry["step"], **{ours: entry[its] for ours, its in names.items()}}
            )
        elif "loss" in entry:
            figures = {name: entry[name] for name in _SAME_NAME}
            figures |= {"token_accuracy": entry["mean_token_accuracy"], "tokens": int(entry["num_tokens"])}
            self._steps.append(figures)

    def _validations_without_progress(self) -> int:
        """Evaluations since the best one. Those before the adapter changed measure the base and do not count."""
        losses = [each["loss"] for each in self._evaluations if each["step"] >= self._plan.learns_from]
        return len(losses) - 1 - losses.index(min(losses)) if losses else 0

    def _seconds(self) -> float:
        return round(self._seconds_before + time.monotonic() - self._began, 3)


def alone_agrees(decision: int) -> int:
    """The decision of a single process. With several processes, `all_agree` takes the greatest."""
    return decision


def _pick(point: Mapping[str, Any]) -> dict[str, float]:
    return {key: point[key] for key in ("step", "loss", "token_accuracy")}


def _require_finite(value: float, step: int) -> None:
    if not math.isfinite(value):
        raise MlError(
            "loss_not_finite",
            f"The loss or its gradient is not a number at step {step}; lower the learning rate, or check that the "
            "base model's weights are sound if it is step 0.",
        )
