"""Names and values of settings in words, the same on every page and in every download."""

from collections.abc import Mapping
from typing import Any

LABELS = {
    "lora_r": "Rank",
    "lora_alpha": "Alpha",
    "lora_dropout": "Dropout",
    "targets": "Adapted layers",
    "rslora": "rsLoRA",
    "dora": "DoRA",
    "max_length": "Maximum row length",
    "trained_turns": "Trained answers",
    "max_hours": "Time limit (hours)",
    "max_grad_norm": "Gradient clipping",
    "warmup_fraction": "Warm-up",
    "evaluate_every": "Validate every",
    "checkpoint_every": "Checkpoint every",
    "sample_prompts": "Sample answers",
}
CHOICES = {
    "qlora": "QLoRA (4-bit base)",
    "lora": "LoRA (16-bit base)",
    "default": "Default",
    "pissa": "PiSSA",
    "cosine": "Cosine",
    "linear": "Linear",
    "constant": "Constant",
    "adamw": "AdamW",
    "adamw_8bit": "AdamW, 8-bit",
    "paged_adamw_8bit": "AdamW, 8-bit, paged",
    "refuse": "Refuse the run",
    "drop": "Skip them",
    "last": "The last of a conversation",
    "all": "All with weight",
    "padded": "Padded",
    "padding_free": "Padding-free",
    "nf4": "4 bit (NF4)",
    "none": "16 bit",
}
# The meaning of 0 for each of these settings.
_ZERO = {
    "patience": "off",
    "max_hours": "no limit",
    "evaluate_every": "each epoch",
    "checkpoint_every": "after each validation",
    "sample_prompts": "none",
}


def label(name: str) -> str:
    """The name of a setting, as on the launch page."""
    return LABELS.get(name) or name.replace("_", " ").capitalize()


def display_value(name: str, value: Any) -> Any:
    """The value of a setting in words, if its stored form is not readable."""
    if name in _ZERO and value == 0:
        return _ZERO[name]
    return CHOICES.get(value, value) if isinstance(value, str) else value


def described(config: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Name and value of every setting, in words."""
    return [(label(name), display_value(name, value)) for name, value in config.items()]
