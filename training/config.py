"""The frozen configuration of a training run: one definition for the launch form, the API and the worker.

Pure pydantic on purpose: the web validates with it before a run starts, and `worker.ml` loads the same class in its
own process, so names and ranges cannot differ.
"""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

_MODULE = re.compile(r"[A-Za-z_][\w.-]*")


class TrainingConfig(BaseModel):
    """Hyper-parameters of one supervised fine-tuning run; every field has a range and a description."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["qlora", "lora"] = Field(
        "qlora",
        description="QLoRA uses a 4-bit base and needs the least memory. LoRA keeps the base at 16 bit.",
    )
    lora_r: int = Field(
        16,
        ge=1,
        le=256,
        description="Rank of the adapter. A higher rank can learn more and needs more memory.",
    )
    lora_alpha: int = Field(32, ge=1, le=512, description="Scale of the adapter, usually twice the rank.")
    lora_dropout: float = Field(
        0.0, ge=0, le=0.5, description="Share of adapter inputs dropped during training."
    )
    targets: str = Field(
        "all-linear",
        min_length=1,
        max_length=500,
        description="Layers with an adapter: all-linear, attention, or module names separated by commas.",
    )
    rslora: bool = Field(
        False, description="Scales by alpha/√rank instead of alpha/rank, so that high ranks learn well."
    )
    dora: bool = Field(
        False,
        description="Learns the size and direction of weights separately. Slower, often better.",
    )
    initialisation: Literal["default", "pissa"] = Field(
        "default",
        description="PiSSA starts from the base's principal directions and learns faster. Only with LoRA at 16 bit.",
    )
    learning_rate: float = Field(
        2e-4, gt=0, le=0.1, description="Highest learning rate. 1e-4 to 3e-4 suits most adapters."
    )
    schedule: Literal["cosine", "linear", "constant"] = Field(
        "cosine", description="How the learning rate falls after warm-up."
    )
    warmup_fraction: float = Field(0.03, ge=0, le=0.5, description="Share of steps used for warm-up.")
    optimizer: Literal["adamw", "adamw_8bit", "paged_adamw_8bit"] = Field(
        "adamw",
        description="8-bit uses a quarter of the optimizer memory. Paged can move it to host memory.",
    )
    weight_decay: float = Field(0.0, ge=0, le=1, description="Pulls the adapter weights towards zero.")
    max_grad_norm: float = Field(1.0, gt=0, le=100, description="Gradients longer than this are scaled down.")
    epochs: float = Field(1.0, gt=0, le=100, description="Passes over the training split.")
    batch_size: int = Field(8, ge=1, le=1024, description="Rows processed together on one device.")
    gradient_accumulation: int = Field(
        1, ge=1, le=1024, description="Batches accumulated before each update."
    )
    batching: Literal["padding_free", "padded"] = Field(
        "padding_free",
        description="Padding-free joins the rows of a batch. Padded fills them to the longest row. The losses are "
        "equal. Models without padding-free support are trained padded.",
    )
    max_length: int = Field(
        2048,
        ge=16,
        le=131072,
        description="Maximum row length in tokens. Rows that would lose their end token are refused.",
    )
    long_rows: Literal["refuse", "drop"] = Field(
        "refuse",
        description="What to do with rows that would lose their end token: refuse the run, or skip the rows.",
    )
    trained_turns: Literal["last", "all"] = Field(
        "last",
        description="In conversations, train the last answer only, or all answers of the assistant that have weight.",
    )
    evaluate_every: int = Field(
        0, ge=0, le=1_000_000, description="Steps between validations. 0: at the end of each epoch."
    )
    patience: int = Field(
        0,
        ge=0,
        le=1000,
        description="Stops after this many validations without a better loss and keeps the best adapter. 0: off.",
    )
    checkpoint_every: int = Field(
        0, ge=0, le=1_000_000, description="Steps between checkpoints. 0: after each validation."
    )
    keep_checkpoints: int = Field(
        2, ge=1, le=100, description="Newest checkpoints kept on disk until the run succeeds."
    )
    sample_prompts: int = Field(
        3,
        ge=0,
        le=16,
        description="Validation prompts answered at each validation, to show how answers change.",
    )
    devices: int = Field(
        1, ge=1, le=64, description="GPUs of one machine that share each step. Their rows add up."
    )
    max_hours: float = Field(
        0.0,
        ge=0,
        le=10_000,
        description="Stops training after this many hours and keeps the adapter. 0: no limit.",
    )
    seed: int = Field(20, ge=0, le=2**31 - 1, description="Seed for shuffling, initialisation and dropout.")

    @field_validator("targets")
    @classmethod
    def _targets(cls, value: str) -> str:
        names = [name.strip() for name in value.split(",")]
        if not all(_MODULE.fullmatch(name) for name in names):
            raise PydanticCustomError(
                "targets", "Enter all-linear, attention, or module names such as q_proj, v_proj."
            )
        if len(names) > 1 and {"all-linear", "attention"} & set(names):
            raise PydanticCustomError(
                "targets", "Use all-linear or attention alone, or list module names only."
            )
        return ", ".join(names)

    @field_validator("initialisation")
    @classmethod
    def _pissa(cls, value: str, info: ValidationInfo) -> str:
        if value == "pissa" and info.data.get("method") == "qlora":
            raise PydanticCustomError(
                "pissa_needs_lora",
                "PiSSA changes the base's weights, which does not work with a 4-bit base. Choose LoRA, or the default "
                "initialisation.",
            )
        if value == "pissa" and info.data.get("dora"):
            raise PydanticCustomError(
                "pissa_without_dora",
                "PiSSA and DoRA both change the base's weights and cannot be saved together. Choose one.",
            )
        return value

    @property
    def rows_per_step(self) -> int:
        """Rows in one update of the weights, over all devices."""
        return self.batch_size * self.gradient_accumulation * self.devices


# Of one conversation, with its answer or without.
MOST_TURNS = 1000
# The decoding settings under their names in a request to an endpoint.
REQUEST_PARAMETERS = ("max_tokens", "temperature", "top_p", "seed")


class DecodingConfig(BaseModel):
    """How responses are generated; the same for both sides of a pair."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_new_tokens: int = Field(512, ge=1, le=32768, description="Maximum response length in tokens.")
    temperature: float = Field(
        0.0, ge=0, le=2, description="0: greedy decoding. Above 0: responses are sampled."
    )
    top_p: float = Field(
        1.0, gt=0, le=1, description="Sample from the smallest set of tokens with this total probability."
    )
    seed: int = Field(20, ge=0, le=2**31 - 1, description="Seed for sampling.")
    samples: int = Field(1, ge=1, le=16, description="Responses per model and prompt.")
    batch_size: int = Field(16, ge=1, le=1024, description="Responses generated together.")
    latency_prompts: int = Field(
        20, ge=0, le=1000, description="Prompts repeated one by one to measure latency. 0: none."
    )
    quantisation: Literal["nf4", "none"] = Field(
        "nf4", description="Precision of the base model: 4 bit, as in QLoRA training, or 16 bit."
    )
