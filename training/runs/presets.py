"""Starting points for a run: complete configurations with a name and when to choose them."""

from dataclasses import dataclass, field

from training.config import TrainingConfig


@dataclass(frozen=True)
class Preset:
    key: str
    name: str
    why: str
    config: TrainingConfig = field(repr=False)
    demo_only: bool = False


PRESETS = (
    Preset(
        "reference",
        "Reference",
        "QLoRA for rows of about 1,000 tokens: three epochs, 16 rows per step. Suits a 1.5-billion-parameter "
        "model that learns structured answers.",
        TrainingConfig(
            epochs=3,
            batch_size=8,
            gradient_accumulation=2,
            lora_dropout=0.05,
            max_length=2048,
            learning_rate=2e-4,
        ),
    ),
    Preset(
        "quick",
        "Quick test",
        "A small adapter and a quarter of an epoch: enough to see whether the model learns from the data.",
        TrainingConfig(epochs=0.25, lora_r=8, lora_alpha=16),
    ),
    Preset(
        "careful",
        "Careful",
        "LoRA at 16 bit with a lower learning rate. Stops when validation no longer improves. The slowest preset.",
        TrainingConfig(
            method="lora",
            epochs=5,
            lora_r=32,
            lora_alpha=64,
            lora_dropout=0.05,
            learning_rate=1e-4,
            batch_size=4,
            gradient_accumulation=4,
            patience=2,
        ),
    ),
    Preset(
        "memory",
        "Low memory",
        "One row at a time on a 4-bit base, accumulated to 16 rows per step. For devices with little memory.",
        TrainingConfig(
            lora_r=8,
            lora_alpha=16,
            batch_size=1,
            gradient_accumulation=16,
            epochs=2,
            optimizer="paged_adamw_8bit",
        ),
    ),
    Preset(
        "toy",
        "Toy model",
        "For the bundled demo model only. The learning rate is too high for real models.",
        TrainingConfig(learning_rate=6e-3, batch_size=16, epochs=1, max_length=512, evaluate_every=43),
        demo_only=True,
    ),
)
BY_KEY = {preset.key: preset for preset in PRESETS}
