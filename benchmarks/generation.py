"""Measure prompts per second of a comparison, against a loop over `generate` and against `generate` in fixed batches.

All engines use the same loaded demo model with its adapter and greedy decoding. They alternate in every round, so that
other load affects them equally. The loop gets fewer prompts because it is slow. Without equal tokens there is no
result. The whole path is also measured in a real run: queue, worker process, storing, matching and pairs.

    python -m benchmarks.generation [--prompts 64] [--loop 8] [--rounds 3]
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BASE = Path(__file__).resolve().parent.parent / "worker" / "ml" / "demo" / "base"
WIDTH = 32
LONGEST = 128
GOAL = 4.0
Timed = dict[str, list[float]]


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure generation; writes var/bench/generation.json.")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--loop", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "VAR_DIR": folder,
            "DJANGO_SETTINGS_MODULE": "ftplatform.settings",
            "LOG_LEVEL": "ERROR",
        }
        os.environ.pop("DATABASE_URL", None)
        adapter = _train(Path(folder))
        rates, widths = _engines(adapter, options)
        path = _whole_path(adapter, options.prompts)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    result = {
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "model": "the bundled demo base with an adapter, NF4, greedy",
        "prompts": options.prompts,
        "batch_size": WIDTH,
        "tokens_equal": True,
        "prompts_per_second": rates,
        "median": medians,
        "times_the_loop": medians["ours"] / medians["loop"],
        "times_fixed_batches": medians["ours"] / medians["fixed_batches"],
        "mean_rows_of_fixed_batches": widths,
        "whole_path": path,
        "goal": f"at least {GOAL} times the loop",
    }
    file = Path("var/bench/generation.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(result, indent=2))
    for name, median in medians.items():
        print(f"{name:<14} {median:8.2f} prompts/s")
    print(
        f"whole path     {path['prompts_per_second']:8.2f} prompts/s over both sides, {path['seconds']} s in all"
    )
    print(f"ours / loop    {result['times_the_loop']:8.1f}   (goal {GOAL})")
    return 0 if result["times_the_loop"] >= GOAL else 1


def _train(folder: Path) -> Path:
    """Train an adapter for a few steps. Its quality does not matter, only that responses differ in length."""
    from worker.ml import train
    from worker.ml.demo.cases import generate_cases
    from worker.ml.protocol import Reporter

    cases = generate_cases(256)
    for name, rows in (("train", cases[:224]), ("validation", cases[224:])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = {"batch_size": 16, "learning_rate": 6e-3, "max_length": 512, "epochs": 1.0, "sample_prompts": 0}
    job = {
        "base_model": str(BASE),
        "train_file": str(folder / "train.jsonl"),
        "validation_file": str(folder / "validation.jsonl"),
        "output_dir": str(folder / "adapter"),
        "config": config,
    }
    with (folder / "events.jsonl").open("w") as events:
        train.main(Reporter(events), job)
    return folder / "adapter"


def _engines(adapter: Path, options: argparse.Namespace) -> tuple[Timed, float]:
    """Prompts per second of each engine by round, and the mean number of active rows in a fixed batch."""
    from training.config import DecodingConfig
    from worker.ml.chat import prompt_messages
    from worker.ml.data import prompt_ids
    from worker.ml.demo.cases import generate_cases
    from worker.ml.models import device_name, inspect_base, load_base, load_tokenizer, stop_ids
    from worker.ml.sides import Prompt, Sides

    tokenizer = load_tokenizer(BASE, embedding_rows=inspect_base(BASE)["vocab"])
    model = load_base(BASE, quantisation="nf4", device=device_name())
    decoding = DecodingConfig(max_new_tokens=LONGEST, batch_size=WIDTH)
    ends = stop_ids(tokenizer, BASE)
    sides = Sides(model, tokenizer, ends, {"tuned": adapter}, decoding)
    rows = generate_cases(3000)[-options.prompts :]
    ids = [prompt_ids(tokenizer, prompt_messages(row["instruction"], row["input"])) for row in rows]
    ids.sort(key=len, reverse=True)

    def ours(wanted: list[list[int]]) -> list[list[int]]:
        rows = [sides.row(Prompt(number, str(number), tokens), 0) for number, tokens in enumerate(wanted)]
        ended = [row for group in sides.write("tuned", rows, tick=lambda: None) for row in group]
        return [row.tokens for row in sorted(ended, key=lambda row: row.name[0].prompt_id)]

    def batches(width: int) -> Callable[[list[list[int]]], list[list[int]]]:
        return lambda wanted: _generate(sides.model, tokenizer, ends, wanted, width)

    engines = {"ours": ours, "fixed_batches": batches(WIDTH), "loop": batches(1)}
    rates: Timed = {name: [] for name in engines}
    for engine in engines.values():
        engine(ids[:2])
    looped = ids[:: max(1, len(ids) // options.loop)][: options.loop]
    for _ in range(options.rounds):
        outputs = {}
        for name, engine in engines.items():
            batch = looped if name == "loop" else ids
            began = time.monotonic()
            outputs[name] = engine(batch)
            rates[name].append(len(batch) / (time.monotonic() - began))
        by_prompt = dict(zip(map(tuple, ids), outputs["ours"], strict=True))
        assert outputs["fixed_batches"] == outputs["ours"], "fixed batches wrote other tokens"
        assert outputs["loop"] == [by_prompt[tuple(tokens)] for tokens in looped], (
            "the loop wrote other tokens"
        )
    lengths = [len(tokens) for tokens in outputs["ours"]]
    chunks = [lengths[start : start + WIDTH] for start in range(0, len(lengths), WIDTH)]
    return rates, sum(lengths) / sum(max(chunk) for chunk in chunks)


def _generate(
    model: Any, tokenizer: Any, ends: set[int], ids: list[list[int]], width: int
) -> list[list[int]]:
    """`generate` in batches of `width`, with each row cut after its end token."""
    import torch
    from transformers import GenerationConfig

    config = GenerationConfig(
        max_new_tokens=LONGEST,
        do_sample=False,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=sorted(ends),
    )
    model.generation_config = config
    written = []
    for start in range(0, len(ids), width):
        batch = tokenizer.pad({"input_ids": ids[start : start + width]}, return_tensors="pt")
        with torch.no_grad():
            output = model.generate(**batch, generation_config=config)
        for row in output[:, batch["input_ids"].shape[1] :].tolist():
            end = next((place for place, token in enumerate(row) if token in ends), len(row))
            written.append(row[: end + 1])
    return written


def _whole_path(adapter: Path, prompts: int) -> dict[str, Any]:
    """Run a real comparison through queue, worker process and database, without latency measurements."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from evaluation.comparison.services import comparisons
    from evaluation.models import Comparison
    from ftplatform import queues
    from tests import factories
    from training.config import DecodingConfig
    from training.registry.services import models
    from worker.ml.demo.cases import generate_cases
    from worker.tasks import run_next

    owner = factories.user()
    base = models.register_base(user=owner, name="demo", path=str(BASE))
    prompt_set = factories.prompt_set(owner, prompts)
    for prompt, row in zip(prompt_set.prompts.all(), generate_cases(3000)[-prompts:], strict=True):
        prompt.instruction, prompt.input = row["instruction"], row["input"]
        prompt.save()
    decoding = DecodingConfig(max_new_tokens=LONGEST, batch_size=WIDTH, latency_prompts=0)
    run = comparisons.launch(
        user=owner,
        name="bench",
        prompt_set=prompt_set,
        candidates=[factories.adapter(owner, base=base, path=str(adapter))],
        decoding=decoding,
    )
    began = time.monotonic()
    run_next(queues.GPU)
    seconds = time.monotonic() - began
    run = Comparison.objects.get(pk=run.pk)
    assert run.status == run.Status.SUCCEEDED, run.error_message
    return {
        "prompts_per_second": prompts * 2 / seconds,
        "seconds": round(seconds, 1),
        "seconds_generating": run.facts["seconds"],
        "responses": prompts * 2,
    }


if __name__ == "__main__":
    sys.exit(main())
