"""Create, save and verify LoRA adapters."""

from pathlib import Path
from typing import Any

from training.config import TrainingConfig
from worker.ml.errors import MlError

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")


def adapter_config(model: Any, config: TrainingConfig) -> Any:
    """PEFT's configuration of the adapter. Raises MlError("targets_missing") naming layers that the model does not
    have."""
    from peft import LoraConfig

    return LoraConfig(
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=_targets(model, config.targets),
        use_rslora=config.rslora,
        use_dora=config.dora,
        init_lora_weights="pissa" if config.initialisation == "pissa" else True,
        task_type="CAUSAL_LM",
    )


def _targets(model: Any, targets: str) -> str | list[str]:
    if targets == "all-linear":
        return targets
    wanted = list(ATTENTION) if targets == "attention" else targets.split(", ")
    names = [name for name, module in model.named_modules() if not list(module.children())]
    missing = [each for each in wanted if not any(f".{name}".endswith(f".{each}") for name in names)]
    head = [each for each in wanted if each.split(".")[-1] in ("lm_head", "embed_tokens")]
    if missing or head:
        known = sorted({name.rpartition(".")[2] for name in names if name.endswith("_proj")})
        raise MlError(
            "targets_missing",
            f"The base model has no layers {', '.join(missing or head)} that an adapter can be put on; "
            f"choose all-linear, attention, or some of {', '.join(known)}.",
        )
    return wanted


def principal_start(model: Any) -> dict[str, Any]:
    """Copies of lora_A and lora_B as PiSSA initialised them, by name. `as_lora` needs them after training."""
    from peft import get_peft_model_state_dict

    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def as_lora(model: Any, start: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """A PiSSA adapter as a LoRA of twice the rank on the untouched base, and its configuration.

    PiSSA trains A B on the residual W - A0 B0, so the change of W is A B - A0 B0 = [A; A0] [B, -B0]
    (Meng et al. 2024, appendix C; https://arxiv.org/abs/2404.02948).
    """
    import copy

    import torch
    from peft import get_peft_model_state_dict

    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    doubled = {}
    for name, now in state.items():
        first = start[name].to(now.device)
        pair = (now, first) if "lora_A" in name else (now, -first)
        doubled[name] = torch.cat(pair, dim=0 if "lora_A" in name else 1).contiguous()
    config = copy.deepcopy(model.peft_config["default"])
    # The scale is alpha/r, or alpha/√r with rsLoRA, and must stay what it was.
    factor = 2**0.5 if config.use_rslora else 2
    config.r, config.lora_alpha, config.init_lora_weights = 2 * config.r, factor * config.lora_alpha, True
    return doubled, config


def save_adapter(model: Any, folder: Path, *, base_name: str, start: dict[str, Any] | None) -> None:
    """Write adapter_config.json and adapter_model.safetensors. The base is recorded as `base_name`, without a path.

    `start` is `principal_start` for a PiSSA run and None otherwise.
    """
    if start is None:
        model.peft_config["default"].base_model_name_or_path = base_name
        model.save_pretrained(folder, save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)
        return
    from safetensors.torch import save_file

    weights, config = as_lora(model, start)
    config.base_model_name_or_path, config.inference_mode = base_name, True
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config.save_pretrained(folder)


def load_adapter_weights(model: Any, folder: Path) -> None:
    """Load a checkpoint's adapter weights into the adapter that is being trained."""
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    set_peft_model_state_dict(model, load_file(folder / "adapter_model.safetensors"))


def require_effect(
    model: Any, token_ids: list[int], *, adapter: str = "default", start: dict[str, Any] | None = None
) -> dict[str, float]:
    """Check that the adapter's lora_B are not zero and that it changes the logits of one prompt.

    Returns the largest absolute lora_B entry (its largest change for PiSSA, whose `start` is not zero) and the
    largest absolute difference of logits, for the record. Raises MlError("adapter_not_applied").
    """
    import torch

    largest = _largest_change(model, adapter, start)
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


def _largest_change(model: Any, adapter: str, start: dict[str, Any] | None) -> float:
    changes = []
    for name, weight in model.named_parameters():
        if f"lora_B.{adapter}." in name:
            first = start[name.replace(f".{adapter}.", ".")].to(weight.device) if start else 0.0
            changes.append(float((weight.detach() - first).abs().max()))
    return max(changes, default=0.0)
