"""Base models and rows of the training benchmark."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import worker.ml.demo
from worker.ml.chat import render_example
from worker.ml.demo.cases import generate_cases
from worker.ml.models import device_name

TOY_BASE = Path(worker.ml.demo.__file__).parent / "base"
FILLER = "Please read this too."
# From the configuration files of Qwen/Qwen2.5-1.5B-Instruct.
QWEN_1_5B = {
    "vocab_size": 151_936,
    "hidden_size": 1536,
    "intermediate_size": 8960,
    "num_hidden_layers": 28,
    "num_attention_heads": 12,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32_768,
}


@dataclass(frozen=True)
class Scenario:
    """Training rows for one base and the settings that both scripts share. `parameters` is the base's parameter
    count, if the share of the device is to be computed."""

    name: str
    rows: list[dict[str, Any]]
    base: Path
    config: dict[str, Any]
    parameters: int | None = None


def toy(rows: int) -> list[Scenario]:
    """The demo's base with rows of one length, and with lengths distributed like real requests (log-normal)."""
    config = {
        "method": "qlora",
        "learning_rate": 1e-3,
        "batch_size": 8,
        "epochs": 1.0,
        "max_length": 2048,
        "sample_prompts": 0,
    }
    cases = generate_cases(rows)
    generator = random.Random(5)
    mixed = []
    for case in cases:
        filler = " ".join([FILLER] * min(150, int(generator.lognormvariate(2.2, 1.1))))
        mixed.append(case | {"instruction": f"{case['instruction']} {filler}"})
    return [
        Scenario("equal lengths", cases, TOY_BASE, config),
        Scenario("mixed lengths", mixed, TOY_BASE, config),
    ]


def reference_run(folder: Path, shape: Mapping[str, int], *, rows: int, tokens: int) -> list[Scenario]:
    """A Qwen2 of this shape with random weights, on rows of about this many tokens, as LoRA and as QLoRA."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2Config

    tokenizer = AutoTokenizer.from_pretrained(TOY_BASE)
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    base = folder / "random-base"
    torch.manual_seed(0)
    with torch.device(device_name()):
        model = AutoModelForCausalLM.from_config(
            Qwen2Config(**shape, **ends, tie_word_embeddings=True), dtype=torch.bfloat16
        )
    parameters = sum(each.numel() for each in model.parameters())
    model.save_pretrained(base)
    tokenizer.save_pretrained(base)
    del model
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    filled = [_filled(tokenizer, case, tokens) for case in generate_cases(rows)]
    shared = {"learning_rate": 2e-4, "batch_size": 16, "epochs": 1.0, "max_length": 2048, "sample_prompts": 0}
    return [
        Scenario(f"reference run, {method}", filled, base, shared | {"method": method}, parameters)
        for method in ("lora", "qlora")
    ]


def _filled(tokenizer: Any, case: dict[str, Any], tokens: int) -> dict[str, Any]:
    """The case with an instruction padded so that the row has about this many tokens."""
    rendered = "".join(render_example(tokenizer, case["instruction"], case["input"], case["output"]))
    missing = tokens - len(tokenizer(rendered)["input_ids"])
    each = len(tokenizer(f" {FILLER}")["input_ids"])
    return case | {"instruction": f"{case['instruction']}{f' {FILLER}' * max(0, missing // each)}"}
