"""TRL's trainer with additions for long runs: a reproducible order, verifiable checkpoints, and evaluations that do
not consume random numbers."""

from pathlib import Path
from typing import Any

import torch
import trl.trainer.utils
from trl import SFTTrainer

from worker.ml.batching import TrainingOrder
from worker.ml.protocol import Cancelled
from worker.ml.saving import explain_failed_save

# On a CPU, TRL computes logits at every position and discards those of the prompt. Computing only the trained
# positions, as on a GPU, gives the same losses faster.
trl.trainer.utils._use_triton = lambda _device: True


class AdapterTrainer(SFTTrainer):
    """Reads the training rows in `order`. Checkpoints are saved in `attempt_folder`."""

    def __init__(self, *, order: TrainingOrder, attempt_folder: Path, **kwargs: Any) -> None:
        self._order = order
        self._attempt_folder = attempt_folder
        super().__init__(**kwargs)

    def count_tokens_from(self, tokens: int) -> None:
        """Continue the token count of an interrupted attempt. The trainer itself would start at 0."""
        self._total_train_tokens = tokens

    def _get_train_sampler(self, *_: Any, **__: Any) -> TrainingOrder:
        return self._order

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Compute the lengths of concatenated rows once per batch. Otherwise every layer would synchronise with the
        device."""
        if "cu_seq_lens_q" in inputs:
            inputs["row_lengths"] = inputs["cu_seq_lens_q"].diff().tolist()
        return dict(super()._prepare_inputs(inputs))

    def _run_epoch(self, *, epoch: int, **kwargs: Any) -> None:
        self._order.set_epoch(epoch)
        super()._run_epoch(epoch=epoch, **kwargs)

    def _evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Evaluate without drawing from the generator used for shuffling and dropout, so that an evaluation that is
        skipped, cancelled or repeated does not change training. Save and stop if asked to meanwhile."""
        with torch.random.fork_rng(devices=[]):
            try:
                return dict(super()._evaluate(*args, **kwargs))
            except Cancelled:
                self.control.should_save = self.state.global_step > 0
                self.control.should_evaluate, self.control.should_training_stop = False, True
                return {}

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        try:
            super()._save_checkpoint(*args, **kwargs)
        except Exception as error:
            explained = explain_failed_save(error, self._attempt_folder, self.state.global_step)
            if explained is None:
                raise
            raise explained from error
