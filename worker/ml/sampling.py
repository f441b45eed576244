"""Choose the next token of each row so that a sampled text depends only on its own seed.

Every response has its own stream of uniform numbers, seeded by the run's seed, the prompt's key and the sample's
number. A row's token is the one at which the cumulative sorted probabilities pass the next uniform number. Neither
other rows in the batch nor an interruption can change a text, except where rounding moves a probability across the
number.
"""

import random
from dataclasses import dataclass
from typing import Any


def stream(seed: int, key: str, sample: int) -> random.Random:
    """The uniform numbers of one response. They are the same for every model, so that chance favours neither side."""
    return random.Random(f"{seed}\n{key}\n{sample}")


@dataclass(frozen=True)
class Sampler:
    """Greedy at temperature 0. Otherwise draws from the smallest set of tokens whose probability reaches `top_p`."""

    temperature: float
    top_p: float

    def choose(self, logits: Any, streams: list[random.Random]) -> Any:
        """The next token of each row. `logits` is (rows, vocabulary); returns (rows,)."""
        import torch

        if self.temperature == 0:
            return logits.float().argmax(dim=-1)
        uniform = torch.tensor([each.random() for each in streams], dtype=torch.float64)
        return self.draw(logits, uniform.to(logits.device))

    def draw(self, logits: Any, uniform: Any) -> Any:
        """Inverse of the cumulative distribution at `uniform`, (rows,) in [0, 1)."""
        import torch

        probabilities = torch.softmax(logits.double() / self.temperature, dim=-1)
        ordered, tokens = probabilities.sort(dim=-1, descending=True, stable=True)
        before = ordered.cumsum(dim=-1) - ordered
        ordered = torch.where(before < self.top_p, ordered, 0.0)
        mass = ordered.cumsum(dim=-1)
        place = torch.searchsorted(mass, uniform[:, None] * mass[:, -1:], right=True)
        last = (ordered > 0).sum(dim=-1, keepdim=True) - 1
        return tokens.gather(1, torch.minimum(place, last))[:, 0]
