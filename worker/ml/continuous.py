"""Continuous batching: a row leaves the batch when it ends, and a waiting row takes its place.

`generate` keeps a batch together until its longest response ends and decodes padding for the others meanwhile. Here the
cache of keys and values is cut and joined row by row. The results equal those of `generate`: left padding, the same
masks and the same positions.
"""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from worker.ml.sampling import Sampler


@dataclass
class Row:
    """A response in progress: the prompt's token ids, its random numbers, and the tokens generated so far."""

    name: Any
    token_ids: list[int]
    stream: random.Random
    tokens: list[int] = field(default_factory=list)
    started: float = 0.0
    first: float = 0.0
    ended: float = 0.0
    companions: int = 0


@dataclass(frozen=True)
class Limits:
    """When a row ends, and the maximum number of rows in a batch."""

    width: int
    max_new_tokens: int
    ends: frozenset[int]
    pad: int


class Writer:
    """Generates rows with a causal language model. `tick` is called after every step; raise from it to stop."""

    def __init__(self, model: Any, sampler: Sampler, limits: Limits, tick: Callable[[], None]) -> None:
        self._model, self._sampler, self._limits, self._tick = model, sampler, limits, tick
        self._rows: list[Row] = []
        self._cache: Any = None
        self._mask: Any = None

    def write(self, waiting: list[Row]) -> Iterator[list[Row]]:
        """Yield rows as they end, grouped by step. Sort `waiting` so that prompts of similar length are neighbours."""
        import torch

        queue = list(reversed(waiting))
        while queue or self._rows:
            with torch.no_grad():
                free = self._limits.width - len(self._rows)
                # Reading prompts one at a time would cost more than a few unused places.
                if queue and (free >= self._limits.width / 4 or not self._rows):
                    self._admit([queue.pop() for _ in range(min(free, len(queue)))])
                else:
                    self._step()
                ended = self._part()
            self._tick()
            if ended:
                yield ended

    def _admit(self, rows: list[Row]) -> None:
        """Read the prompts of new rows together, generate their first tokens and add them to the batch."""
        import torch
        from transformers import DynamicCache

        started = time.monotonic()
        width = max(len(row.token_ids) for row in rows)
        pad, device = self._limits.pad, self._model.device
        ids = torch.tensor([[pad] * (width - len(row.token_ids)) + row.token_ids for row in rows])
        mask = torch.tensor([[0] * (width - len(row.token_ids)) + [1] * len(row.token_ids) for row in rows])
        ids, mask, cache = ids.to(device), mask.to(device), DynamicCache()
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        logits = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        for row in rows:
            row.started = started
        self._append(rows, logits)
        if self._rows:
            mask, cache = _join(self._mask, self._cache, mask, cache)
        self._rows += rows
        self._mask, self._cache = mask, cache
        for row in self._rows:
            row.companions = max(row.companions, len(self._rows))

    def _step(self) -> None:
        """Generate one more token for every row."""
        import torch

        newest = torch.tensor([[row.tokens[-1]] for row in self._rows], device=self._mask.device)
        positions = self._mask.sum(dim=-1, keepdim=True)
        self._mask = torch.cat([self._mask, torch.ones_like(newest)], dim=-1)
        logits = self._model(
            input_ids=newest,
            attention_mask=self._mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
        ).logits[:, -1]
        self._append(self._rows, logits)

    def _append(self, rows: list[Row], logits: Any) -> None:
        chosen = self._sampler.choose(logits, [row.stream for row in rows]).tolist()
        now = time.monotonic()
        for row, token in zip(rows, chosen, strict=True):
            row.first = row.first or now
            row.tokens.append(token)
            if token in self._limits.ends or len(row.tokens) >= self._limits.max_new_tokens:
                row.ended = now

    def _part(self) -> list[Row]:
        """Remove the rows that have ended from the batch, and the padding that only they needed."""
        import torch

        ended = [row for row in self._rows if row.ended]
        if not ended:
            return []
        staying = [number for number, row in enumerate(self._rows) if not row.ended]
        self._rows = [self._rows[number] for number in staying]
        if not staying:
            self._cache = self._mask = None
            return ended
        keep = torch.tensor(staying, device=self._mask.device)
        self._mask = self._mask[keep]
        unused = int(self._mask.argmax(dim=-1).min())
        self._mask = self._mask[:, unused:]
        for layer in self._cache.layers:
            layer.keys = layer.keys[keep, :, unused:]
            layer.values = layer.values[keep, :, unused:]
        return ended


def _join(mask: Any, cache: Any, new_mask: Any, new_cache: Any) -> tuple[Any, Any]:
    """Join two batches, padding the shorter one on the left."""
    import torch
    from torch.nn.functional import pad

    length = max(mask.shape[1], new_mask.shape[1])
    left, right = length - mask.shape[1], length - new_mask.shape[1]
    for layer, new in zip(cache.layers, new_cache.layers, strict=True):
        layer.keys = torch.cat([pad(layer.keys, (0, 0, left, 0)), pad(new.keys, (0, 0, right, 0))])
        layer.values = torch.cat([pad(layer.values, (0, 0, left, 0)), pad(new.values, (0, 0, right, 0))])
    return torch.cat([pad(mask, (left, 0)), pad(new_mask, (right, 0))]), cache
