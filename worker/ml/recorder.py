"""What a training run tells while it runs: the trainer's callback that reports, schedules evaluations and
stops."""

import math
import time
from typing import Any

from transformers import TrainerCallback

from worker.ml.errors import MlError
from worker.ml.protocol import Cancelled, Reporter


class Recorder(TrainerCallback):
    """Reports every step and evaluation; a checkpoint follows each evaluation but the last, and a stop
    request.

    `evaluate_every` and `total_steps` count updates of the weights. There is always an evaluation before the
    first step (the trainer's `eval_on_start`) and one after the last.
    """

    def __init__(self, reporter: Reporter, *, evaluate_every: int, total_steps: int) -> None:
        self._reporter = reporter
        self._evaluate_every = evaluate_every
        self._total_steps = total_steps
        self._started = time.monotonic()
        self._steps: list[dict[str, float]] = []
        self._evaluations: list[dict[str, float]] = []
        self._checkpoint: str | None = None
        self._stopped_at: int | None = None

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock; loading is not training time."""
        self._started = time.monotonic()

    def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ask for an evaluation or a checkpoint where one is due, and stop where one was asked for."""
        last = state.global_step >= self._total_steps
        due = state.global_step % self._evaluate_every == 0
        control.should_evaluate = due or last
        control.should_save = due and not last
        if self._reporter.stop_requested and not last:
            self._stopped_at = state.global_step
            control.should_evaluate, control.should_save, control.should_training_stop = False, True, True

    def on_substep_end(self, *_: Any, **__: Any) -> None:
        """Show that a step of many accumulated batches moves."""
        self._reporter.alive()

    def on_log(self, _args: Any, state: Any, _control: Any, logs: dict[str, float], **_: Any) -> None:
        """Report one step; `loss` is absent from the summaries that are logged too."""
        if "loss" not in logs:
            return
        step = {
            "step": state.global_step,
            "total_steps": self._total_steps,
            "epoch": logs["epoch"],
            "loss": logs["loss"],
            "token_accuracy": logs["mean_token_accuracy"],
            "learning_rate": logs["learning_rate"],
            "grad_norm": logs["grad_norm"],
            "tokens": int(logs["num_tokens"]),
            "seconds": self._seconds(),
        }
        _require_finite(step["loss"] + step["grad_norm"], state.global_step)
        self._steps.append(step)
        self._reporter.emit("step", **step)

    def on_prediction_step(self, _args: Any, state: Any, *_: Any, **__: Any) -> None:
        """Show that an evaluation moves, and leave it when asked to."""
        self._reporter.alive()
        self._reporter.check_stop(step=state.global_step, checkpoint=self._checkpoint)

    def on_evaluate(self, _args: Any, state: Any, _control: Any, metrics: dict[str, float], **_: Any) -> None:
        """Report one evaluation of the whole validation split."""
        _require_finite(metrics["eval_loss"], state.global_step)
        evaluation = {
            "step": state.global_step,
            "loss": metrics["eval_loss"],
            "token_accuracy": metrics["eval_mean_token_accuracy"],
        }
        self._evaluations.append(evaluation)
        self._reporter.emit("evaluation", **evaluation)

    def on_save(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Report the checkpoint that a later attempt may resume from."""
        self._checkpoint = f"{args.output_dir}/checkpoint-{state.global_step}"
        self._reporter.emit("checkpoint", step=state.global_step, path=self._checkpoint)

    def raise_if_stopped(self) -> None:
        """Raise Cancelled if training ended because it was asked to."""
        if self._stopped_at is not None:
            raise Cancelled(step=self._stopped_at, checkpoint=self._checkpoint)

    def summary(self) -> dict[str, Any]:
        """First and last step, first and last evaluation, and the speed, for the report and the manifest."""
        last = self._steps[-1]
        return {
            "steps": last["step"],
            "seconds": self._seconds(),
            "tokens": last["tokens"],
            "tokens_per_second": last["tokens"] / last["seconds"],
            "train": {"start": _pick(self._steps[0]), "end": _pick(last)},
            "validation": {"start": _pick(self._evaluations[0]), "end": _pick(self._evaluations[-1])},
        }

    def _seconds(self) -> float:
        return round(time.monotonic() - self._started, 3)


def _pick(point: dict[str, float]) -> dict[str, float]:
    return {key: point[key] for key in ("step", "loss", "token_accuracy")}


def _require_finite(value: float, step: int) -> None:
    if not math.isfinite(value):
        raise MlError(
            "loss_not_finite",
            f"The loss or its gradient is not a number at step {step}; lower the learning rate, or check that the "
            "base model's weights are sound if it is step 0.",
        )
