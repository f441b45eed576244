"""Attention over rows that are concatenated without padding. Each row attends only to itself.

A step then computes no padding, in matrix products as large as those of a padded batch. transformers supports this only
with flash attention. Its other implementations would build one mask over all rows, whose cost grows with the square of
their total length.
"""

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask, sliding_window_causal_mask_function

_NAME = "row_by_row"
# Its layers do not pass `row_lengths` to the attention.
_KEEPS_LENGTHS = "StableLmForCausalLM"


def attend_row_by_row(model: Any) -> bool:
    """Make `model` accept concatenated rows when it is called with `row_lengths`; calls without it work as before.
    Returns False if the model needs another attention, such as one with capped scores."""
    if model.config._attn_implementation != "sdpa" or type(model).__name__ == _KEEPS_LENGTHS:
        return False
    model.set_attn_implementation(_NAME)
    return True


def _row_by_row(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    row_lengths: list[int] | None = None,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Tensors are (1, heads, tokens, width); returns (1, tokens, heads, width)."""
    if row_lengths is None:
        output, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
        return output, None
    rows = zip(*(each.split(row_lengths, dim=2) for each in (query, key, value)), strict=True)
    output = [
        sdpa_attention_forward(module, q, k, v, _window(q, sliding_window), **kwargs)[0] for q, k, v in rows
    ]
    return torch.cat(output, dim=1), None


def _window(query: torch.Tensor, size: int | None) -> torch.Tensor | None:
    length = query.shape[2]
    if size is None or length <= size:
        return None
    inside = sliding_window_causal_mask_function(size)
    return sdpa_mask(1, length, length, mask_function=inside, allow_is_causal_skip=False, device=query.device)


def _mask(*args: Any, attention_mask: torch.Tensor | None, allow_is_causal_skip: bool, **kwargs: Any) -> Any:
    """None for concatenated rows, which have no padding."""
    if attention_mask is None and not allow_is_causal_skip:
        return None
    return sdpa_mask(
        *args, attention_mask=attention_mask, allow_is_causal_skip=allow_is_causal_skip, **kwargs
    )


AttentionInterface.register(_NAME, _row_by_row)
AttentionMaskInterface.register(_NAME, _mask)
