"""What is trained in the benchmark: base models and rows."""

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import worker.ml.demo
from worker.ml.demo.cases import generate_cases

TOY_BASE = Path(worker.ml.demo.__file__).parent / "base"


@dataclass(frozen=True)
class Scenario:
    """Rows for training on one base, and the settings that both sides share."""

    name: str
    rows: list[dict[str, Any]]
    base: Path
    config: dict[str, Any]


def toy(rows: int) -> list[Scenario]:
    """The demo's base with rows of one length, and with lengths spread like real requests (log-normal)."""
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
        filler = " ".join(["Please read this too."] * min(150, int(generator.lognormvariate(2.2, 1.1))))
        mixed.append(case | {"instruction": f"{case['instruction']} {filler}"})
    return [
        Scenario("equal lengths", cases, TOY_BASE, config),
        Scenario("mixed lengths", mixed, TOY_BASE, config),
    ]


def reference_run(folder: Path, *, rows: int = 2700, tokens: int = 1030) -> list[Scenario]:
    """The shape of Qwen2.5-1.5B with random weights on rows of about 1,030 tokens; needs a GPU."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2Config

    tokenizer = AutoTokenizer.from_pretrained(TOY_BASE)
    shape = Qwen2Config(
        vocab_size=151_936,
        hidden_size=1536,
        intermediate_size=8960,
        num_hidden_layers=28,
        num_attention_heads=12,
        num_key_value_heads=2,
        max_position_embeddings=32_768,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    base = folder / "qwen2.5-1.5b-random"
    torch.manual_seed(0)
    with torch.device("cuda"):
        model = AutoModelForCausalLM.from_config(shape, dtype=torch.bfloat16)
    model.save_pretrained(base)
    tokenizer.save_pretrained(base)
    del model
    torch.cuda.empty_cache()
    word = len(tokenizer("Please read this too. ")["input_ids"])
    cases = [
        case
        | {
            "instruction": case["instruction"]
            + " "
            + "Please read this too. " * max(0, (tokens - _size(tokenizer, case)) // word)
        }
        for case in generate_cases(rows)
    ]
    shared = {"learning_rate": 2e-4, "batch_size": 16, "epochs": 1.0, "max_length": 2048, "sample_prompts": 0}
    return [
        Scenario(f"reference run, {method}", cases, base, shared | {"method": method})
        for method in ("lora", "qlora")
    ]


def _size(tokenizer: Any, case: dict[str, Any]) -> int:
    return len(tokenizer(json.dumps(case))["input_ids"])
