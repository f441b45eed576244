"""The frozen configuration of a training run: one definition for the launch form, the API and the worker.

Pure pydantic on purpose: the web validates with it before a run starts and `worker.ml` reads the very same
object back in its own process, so the two can never disagree about a name or a range.
"""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

_MODULE = re.compile(r"[A-Za-z_][\w.-]*")


class TrainingConfig(BaseModel):
    """Hyper-parameters of one supervised fine-tuning run; every field is bounded and described."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["qlora", "lora"] = Field(
        "qlora",
        description="QLoRA trains on a 4-bit base and needs least memory; LoRA keeps the base at 16 bit.",
    )
    lora_r: int = Field(
        16, ge=1, le=256, description="Rank of the adapter: more can learn more and costs more."
    )
    lora_alpha: int = Field(
        32, ge=1, le=512, description="Scale of the adapter; twice the rank is customary."
    )
    lora_dropout: float = Field(
        0.0, ge=0, le=0.5, description="Share of adapter inputs dropped while training."
    )
    targets: str = Field(
        "all-linear",
        min_length=1,
        max_length=500,
        description="Layers that get an adapter: all-linear, attention, or module names separated by commas.",
    )
    rslora: bool = Field(
        False, description="Scale by alpha/√rank instead of alpha/rank, which keeps high ranks learning."
    )
    dora: bool = Field(
        False,
        description="Learn the size of each weight column apart from its direction; slower, often better.",
    )
    initialisation: Literal["default", "pissa"] = Field(
        "default",
        description="PiSSA starts from the base's principal directions: quicker learning, only with LoRA at 16 bit.",
    )
    learning_rate: float = Field(
        2e-4, gt=0, le=0.1, description="Peak step size; 1e-4 to 3e-4 suits most adapters."
    )
    schedule: Literal["cosine", "linear", "constant"] = Field(
        "cosine", description="How the learning rate falls after warm-up."
    )
    warmup_fraction: float = Field(0.03, ge=0, le=0.5, description="Share of all steps spent warming up.")
    optimizer: Literal["adamw", "adamw_8bit", "paged_adamw_8bit"] = Field(
        "adamw",
        description="The 8-bit kinds save three quarters of the optimizer's memory; paged lets it spill to the host.",
    )
    weight_decay: float = Field(0.0, ge=0, le=1, description="Pull of the adapter weights towards zero.")
    max_grad_norm: float = Field(1.0, gt=0, le=100, description="Gradients longer than this are scaled down.")
    epochs: float = Field(1.0, gt=0, le=100, description="Passes over the training split.")
    batch_size: int = Field(8, ge=1, le=1024, description="Rows processed together on one device.")
    gradient_accumulation: int = Field(1, ge=1, le=1024, description="Batches summed before each update.")
    batching: Literal["padding_free", "padded"] = Field(
        "padding_free",
        description="Padding-free lays the rows of a batch end to end; padded fills them up to the longest. The losses "
        "are the same; the few models that cannot do the first are trained padded.",
    )
    max_length: int = Field(
        2048, ge=16, le=131072, description="Longest row in tokens; a row that would lose its end is refused."
    )
    long_rows: Literal["refuse", "drop"] = Field(
        "refuse",
        description="A row longer than that would lose its end token: refuse the run, or leave such rows out.",
    )
    evaluate_every: int = Field(
        0, ge=0, le=1_000_000, description="Steps between validations; 0 means at the end of each epoch."
    )
    patience: int = Field(
        0,
        ge=0,
        le=1000,
        description="Stop after so many validations without a better loss and keep the best adapter; 0 never stops.",
    )
    checkpoint_every: int = Field(
        0, ge=0, le=1_000_000, description="Steps between checkpoints; 0 means after each validation."
    )
    keep_checkpoints: int = Field(
        2, ge=1, le=100, description="Newest checkpoints kept on disk until the run has succeeded."
    )
    sample_prompts: int = Field(
        3,
        ge=0,
        le=16,
        description="Validation prompts answered at each validation, to read how answers change.",
    )
    devices: int = Field(
        1, ge=1, le=64, description="GPUs of one machine to share each step; its rows add up over them."
    )
    max_hours: float = Field(
        0.0,
        ge=0,
        le=10_000,
        description="End after so many hours of training with what is learnt; 0 sets no limit.",
    )
    seed: int = Field(20, ge=0, le=2**31 - 1, description="Seed of shuffling, initialisation and dropout.")

    @field_validator("targets")
    @classmethod
    def _targets(cls, value: str) -> str:
        names = [name.strip() for name in value.split(",")]
        if not all(_MODULE.fullmatch(name) for name in names):
            raise PydanticCustomError(
                "targets", "Write all-linear, attention, or module names such as q_proj, v_proj."
            )
        if len(names) > 1 and {"all-linear", "attention"} & set(names):
            raise PydanticCustomError(
                "targets", "all-linear and attention stand alone; or name modules only."
            )
        return ", ".join(names)

    @field_validator("initialisation")
    @classmethod
    def _pissa(cls, value: str, info: ValidationInfo) -> str:
        if value == "pissa" and info.data.get("method") == "qlora":
            raise PydanticCustomError(
                "pissa_needs_lora",
                "PiSSA takes the principal part out of the base's weights, and a base stored in 4 bit would not be "
                "the same without it; choose LoRA, or the default start.",
            )
        if value == "pissa" and info.data.get("dora"):
            raise PydanticCustomError(
                "pissa_without_dora",
                "PiSSA and DoRA both rewrite the base's weights and cannot be saved together; choose one.",
            )
        return value

    @property
    def rows_per_step(self) -> int:
        """Rows that one update of the weights is made from, over all devices."""
        return self.batch_size * self.gradient_accumulation * self.devices


class DecodingConfig(BaseModel):
    """How responses are generated; the same for both sides of a pair."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_new_tokens: int = Field(512, ge=1, le=32768, description="Longest response in tokens.")
    temperature: float = Field(0.0, ge=0, le=2, description="0 is greedy; above it, responses are sampled.")
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus of probability sampled from.")
    seed: int = Field(20, ge=0, le=2**31 - 1, description="Seed of sampling.")
    samples: int = Field(1, ge=1, le=16, description="Responses of each model to each prompt.")
    batch_size: int = Field(16, ge=1, le=1024, description="Responses written together.")
    latency_prompts: int = Field(
        20, ge=0, le=1000, description="Prompts asked again one by one to measure latency; 0 measures none."
    )
    quantisation: Literal["nf4", "none"] = Field(
        "nf4", description="Whether the shared base is loaded in 4 bit, as QLoRA trained on it, or at 16 bit."
    )
