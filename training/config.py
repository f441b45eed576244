"""The frozen configuration of a training run: one definition for the launch form, the API and the worker.

Pure pydantic on purpose: the web validates with it before a run starts and `worker.ml` reads the very same
object back in its own process, so the two can never disagree about a name or a range.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


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
    learning_rate: float = Field(
        2e-4, gt=0, le=0.1, description="Peak step size; 1e-4 to 3e-4 suits most adapters."
    )
    schedule: Literal["cosine", "linear", "constant"] = Field(
        "cosine", description="How the learning rate falls after warm-up."
    )
    warmup_fraction: float = Field(0.03, ge=0, le=0.5, description="Share of all steps spent warming up.")
    weight_decay: float = Field(0.0, ge=0, le=1, description="Pull of the adapter weights towards zero.")
    max_grad_norm: float = Field(1.0, gt=0, le=100, description="Gradients longer than this are scaled down.")
    epochs: float = Field(1.0, gt=0, le=100, description="Passes over the training split.")
    batch_size: int = Field(8, ge=1, le=1024, description="Rows processed together on the device.")
    gradient_accumulation: int = Field(1, ge=1, le=1024, description="Batches summed before each update.")
    max_length: int = Field(
        2048, ge=16, le=131072, description="Longest row in tokens; a row that would lose its end is refused."
    )
    evaluate_every: int = Field(
        0, ge=0, le=1_000_000, description="Steps between validations; 0 means at the end of each epoch."
    )
    seed: int = Field(20, ge=0, le=2**31 - 1, description="Seed of shuffling, initialisation and dropout.")


class DecodingConfig(BaseModel):
    """How responses are generated; the same for both sides of a pair."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_new_tokens: int = Field(512, ge=1, le=32768, description="Longest response in tokens.")
    temperature: float = Field(0.0, ge=0, le=2, description="0 is greedy; above it, responses are sampled.")
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus of probability sampled from.")
    seed: int = Field(20, ge=0, le=2**31 - 1, description="Seed of sampling.")
    batch_size: int = Field(16, ge=1, le=1024, description="Prompts generated together.")
    quantisation: Literal["nf4", "none"] = Field(
        "nf4", description="Whether the shared base is loaded in 4 bit, as QLoRA trained on it, or at 16 bit."
    )
