"""In which order the training rows are read: a pure function of the seed and the epoch.

The trainer's own samplers draw from the global generator, so a run that was interrupted in its second epoch could
not find its order again.
"""

import random
from collections.abc import Iterator
from typing import Literal

from torch.utils.data import Sampler

_STEPS_IN_A_POOL = 50


# What starting one more part costs, as tokens that could be computed meanwhile: on two cores a few hundred, for small
# parts leave one of them idle; on a GPU thousands (not measured on one; chosen so that parts still fill it).
PART_TOKENS = {"cpu": 400, "cuda": 4096}
_SAMPLED_STEPS = 200


def parted(rows: list[int], lengths: list[int], rows_per_step: int) -> list[int]:
    """The same rows in each step, the longest first."""
    steps = [rows[start : start + rows_per_step] for start in range(0, len(rows), rows_per_step)]
    return [row for step in steps for row in sorted(step, key=lambda row: -lengths[row])]


def parts_of_a_batch(lengths: list[int], *, batch_size: int, rows_per_step: int, part_tokens: int) -> int:
    """Into how many equal parts a batch is best cut when the rows of its step are sorted by length: the number that
    computes the fewest tokens, padding and the cost of starting a part included. 1 for rows of one length."""
    rows = list(range(len(lengths)))
    random.Random(0).shuffle(rows)
    ordered = parted(rows[: _SAMPLED_STEPS * rows_per_step], lengths, rows_per_step)

    def cost(parts: int) -> int:
        size = batch_size // parts
        cuts = [ordered[start : start + size] for start in range(0, len(ordered), size)]
        return sum(len(cut) * max(lengths[row] for row in cut) + part_tokens for cut in cuts)

    return min((parts for parts in range(1, batch_size + 1) if batch_size % parts == 0), key=cost)


class TrainingOrder(Sampler[int]):
    """Yields row numbers; one update of the weights reads `rows_per_step` of them, in turn.

    "grouped" sorts pools of rows by length and cuts them into steps, so that the rows of a step need little padding
    while every epoch still mixes them anew. However a step is cut into batches and spread over devices, it holds the
    same rows. The step with the longest row comes first of all, so that memory runs out at once or never.

    "parted" draws like "shuffled" and then sorts within each step, so that its parts need little padding.
    """

    def __init__(
        self,
        lengths: list[int],
        *,
        rows_per_step: int,
        kind: Literal["grouped", "shuffled", "parted"],
        seed: int,
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
        if self._kind == "grouped":
            rows = self._grouped(rows, generator)
        elif self._kind == "parted":
            rows = parted(rows, self._lengths, self._rows_per_step)
        return iter(rows)

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
