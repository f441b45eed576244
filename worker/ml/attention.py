"""Attention over rows that are laid end to end: each row looks at itself alone, and nothing is padding.

A step then computes its tokens and no more, in products as large as those of a padded batch. transformers does the same
only with flash attention; its other attentions would build one mask over all rows, whose cost grows with its square.
"""

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask, sliding_window_causal_mask_function

_NAME = "row_by_row"
# Its layers do not hand the lengths of the rows to the attention.
_KEEPS_LENGTHS = "StableLmForCausalLM"


def attend_row_by_row(model: Any) -> bool:
    """Let `model` compute rows that are laid end to end when it is called with their `row_lengths`, and batches as
    before when it is not. False if it cannot: some need another attention, because they cap its scores."""
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
    """None for rows laid end to end: several in one, without padding."""
    if attention_mask is None and not allow_is_causal_skip:
        return None
    return sdpa_mask(
        *args, attention_mask=attention_mask, allow_is_causal_skip=allow_is_causal_skip, **kwargs
    )


AttentionInterface.register(_NAME, _row_by_row)
AttentionMaskInterface.register(_NAME, _mask)
