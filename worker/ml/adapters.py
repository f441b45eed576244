"""Proof that an adapter is really at work: one that silently was not loaded answers exactly like its base."""

from typing import Any

from worker.ml.errors import MlError


def require_effect(model: Any, token_ids: list[int], *, adapter: str = "default") -> dict[str, float]:
    """Check that the adapter's lora_B are not zero and that it changes the logits of one prompt.

    Returns the largest absolute lora_B entry and the largest absolute difference of logits, for the record.
    Raises MlError("adapter_not_applied").
    """
    import torch

    largest = max(
        (
            float(weight.detach().abs().max())
            for name, weight in model.named_parameters()
            if f"lora_B.{adapter}." in name
        ),
        default=0.0,
    )
    was_training = model.training
    model.eval()
    ids = torch.tensor([token_ids], device=model.device)
    with torch.no_grad():
        with_adapter = model(input_ids=ids).logits[0, -1].float()
        with model.disable_adapter():
            without = model(input_ids=ids).logits[0, -1].float()
    model.train(was_training)
    difference = float((with_adapter - without).abs().max())
    if largest == 0.0 or difference == 0.0:
        raise MlError(
            "adapter_not_applied",
            f"The adapter changes nothing (largest lora_B {largest}, logit difference {difference}); "
            "it was not trained or does not belong to this base model.",
        )
    return {"lora_b_max": largest, "logit_difference": difference}
