"""When each sequence of a batch ended, seen from inside the generation loop."""

import time
from typing import Any

from transformers import StoppingCriteria

from worker.ml.protocol import Reporter


class FinishTimes(StoppingCriteria):
    """Never stops a sequence; notes the first time each one's newest token is an end token.

    The clock starts when the object is made, so that a latency includes reading the prompt.
    """

    def __init__(self, batch_size: int, ends: set[int], reporter: Reporter) -> None:
        self._ends = ends
        self._reporter = reporter
        self._started = time.monotonic()
        self._finished: list[float | None] = [None] * batch_size

    def __call__(self, input_ids: Any, *_: Any, **__: Any) -> Any:
        """Called after every token; `input_ids` is (batch, length so far)."""
        import torch

        self._reporter.alive()
        self._reporter.check_stop()
        newest = input_ids[:, -1].tolist()
        now = time.monotonic() - self._started
        for index, token in enumerate(newest):
            if self._finished[index] is None and token in self._ends:
                self._finished[index] = now
        return torch.zeros(len(newest), dtype=torch.bool, device=input_ids.device)

    def seconds(self) -> list[float]:
        """Seconds until each sequence ended; one cut at the limit took until now."""
        now = time.monotonic() - self._started
        return [now if moment is None else moment for moment in self._finished]
