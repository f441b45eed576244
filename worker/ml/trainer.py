"""TRL's trainer with what a long run needs: an order that can be found again, checkpoints that can be trusted, and
evaluations that leave no trace in the random numbers."""

from pathlib import Path
from typing import Any

import torch
import trl.trainer.utils
from trl import SFTTrainer

from worker.ml.batching import TrainingOrder
from worker.ml.protocol import Cancelled
from worker.ml.saving import explain_failed_save

# On a processor, TRL scores every position and throws away what the prompt's say; as on a GPU, only those that are
# trained are worth the vocabulary's logits. Their losses are the same.
trl.trainer.utils._use_triton = lambda _device: True


class AdapterTrainer(SFTTrainer):
    """Reads the training rows in `order`; `attempt_folder` is where checkpoints are being saved."""

    def __init__(self, *, order: TrainingOrder, attempt_folder: Path, **kwargs: Any) -> None:
        self._order = order
        self._attempt_folder = attempt_folder
        super().__init__(**kwargs)

    def count_tokens_from(self, tokens: int) -> None:
        """Go on counting where the interrupted attempt stopped; the trainer itself would begin at 0."""
        self._total_train_tokens = tokens

    def _get_train_sampler(self, *_: Any, **__: Any) -> TrainingOrder:
        return self._order

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Name the lengths of rows that lie end to end once a batch; every layer would wait for the device for them."""
        if "cu_seq_lens_q" in inputs:
            inputs["row_lengths"] = inputs["cu_seq_lens_q"].diff().tolist()
        return dict(super()._prepare_inputs(inputs))

    def _run_epoch(self, *, epoch: int, **kwargs: Any) -> None:
        self._order.set_epoch(epoch)
        super()._run_epoch(epoch=epoch, **kwargs)

    def _evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Evaluate without drawing from the generator that shuffles and drops out: an evaluation that is left out,
        left early or made again must not change the training. Asked to stop meanwhile, save and stop."""
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
