"""The order in which training rows are read: a pure function of the seed and the epoch.

The trainer's own samplers draw from the global generator, so a run interrupted in its second epoch could not reproduce
its order.
"""

import random
from collections.abc import Iterator

from torch.utils.data import Sampler


class TrainingOrder(Sampler[int]):
    """Yields each row number once, in a different order in every epoch."""

    def __init__(self, rows: int, *, seed: int) -> None:
        self._rows = rows
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Select the epoch, from 0, for the next iteration."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[int]:
        order = list(range(self._rows))
        random.Random(f"{self._seed}/{self._epoch}").shuffle(order)
        return iter(order)
