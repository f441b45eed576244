"""In which order the training rows are read: a pure function of the seed and the epoch.

The trainer's own samplers draw from the global generator, so a run that was interrupted in its second epoch could
not find its order again.
"""

import random
from collections.abc import Iterator
from typing import Literal

from torch.utils.data import Sampler

_STEPS_IN_A_POOL = 50


class TrainingOrder(Sampler[int]):
    """Yields row numbers; one update of the weights reads `rows_per_step` of them, in turn.

    "grouped" sorts pools of rows by length and cuts them into steps, so that the rows of a step need little padding
    while every epoch still mixes them anew. However a step is cut into batches and spread over devices, it holds the
    same rows. The step with the longest row comes first of all, so that memory runs out at once or never.
    """

    def __init__(
        self, lengths: list[int], *, rows_per_step: int, kind: Literal["grouped", "shuffled"], seed: int
    ) -> None:
        self._lengths = lengths
        self._rows_per_step = rows_per_step
        self._kind = kind
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, that the next iteration reads."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        generator = random.Random(f"{self._seed}/{self._epoch}")
        rows = list(range(len(self._lengths)))
        generator.shuffle(rows)
        return iter(self._grouped(rows, generator) if self._kind == "grouped" else rows)

    def _grouped(self, rows: list[int], generator: random.Random) -> list[int]:
        whole = len(rows) - len(rows) % self._rows_per_step
        pool = _STEPS_IN_A_POOL * self._rows_per_step
        steps = []
        for start in range(0, whole, pool):
            by_length = sorted(rows[start : min(start + pool, whole)], key=self._lengths.__getitem__)
            steps += [
                by_length[cut : cut + self._rows_per_step]
                for cut in range(0, len(by_length), self._rows_per_step)
            ]
        generator.shuffle(steps)
        if self._epoch == 0 and steps:
            longest = max(range(len(steps)), key=lambda number: self._lengths[steps[number][-1]])
            steps.insert(0, steps.pop(longest))
        # The incomplete step stays last: an epoch has as many steps as the trainer counts.
        rest = sorted(rows[whole:], key=self._lengths.__getitem__)
        return [row for step in steps for row in step] + rest
