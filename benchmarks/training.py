"""Compare our whole training path with a bare TRL script: same base, rows, settings and machine, alternating.

    python -m benchmarks.training                           the toy base on this machine
    python -m benchmarks.training --quick                   the same in a few minutes: fewer rows, one round
    python -m benchmarks.training --shape qwen2.5-1.5b      the seed's run, random weights of that shape; needs a GPU

For each scenario three commands run in turn: the bare script, ours with the same padded batches, and ours with its
default batches. Speed is tokens over the time within steps. Start-up and validation are not included and have separate
figures. The first two steps of each run are discarded as warm-up. Processor seconds are reported as well as wall-clock
seconds, because other load affects them little.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.training_speed.scenarios import QWEN_1_5B, Scenario, reference_run, toy
from training.config import TrainingConfig
from worker.ml.chat import render_example
from worker.ml.models import device_name

WARM_UP = 2
# The seed's run: three epochs of 2,700 rows of 1,030 tokens, including validations of 300 rows.
REFERENCE_TOKENS = 9_450_000
ROOT = Path(__file__).resolve().parent.parent
COMMANDS = {
    "bare TRL": ("benchmarks.training_speed.bare", {"batching": "padded"}),
    "ours, same batches": ("worker.ml.train", {"batching": "padded"}),
    "ours, default batches": ("worker.ml.train", {}),
}


def measure(scenario: Scenario, command: str, folder: Path) -> dict[str, float]:
    """Run one command to its end. Seconds are wall-clock time from the start of its process."""
    module, changes = COMMANDS[command]
    config = TrainingConfig(**scenario.config | changes).model_dump()
    folder.mkdir(parents=True)
    validation = scenario.rows[:16]
    for name, rows in (("train", scenario.rows), ("validation", validation)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    job: dict[str, Any] = {
        "base_model": str(scenario.base),
        "train_file": str(folder / "train.jsonl"),
        "validation_file": str(folder / "validation.jsonl"),
        "output_dir": str(folder / "adapter"),
        "config": config,
    }
    if module.startswith("benchmarks"):
        (folder / "chat.json").write_text(json.dumps(_as_text(scenario)))
        job["chat_file"] = str(folder / "chat.json")
    (folder / "job.json").write_text(json.dumps(job))
    began = time.monotonic()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(folder / "job.json")],
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
        )
    assert process.stdout is not None
    # The bare script's trainer also prints its own logs.
    lines = (
        (time.monotonic() - began, processor_seconds(process.pid), line)
        for line in process.stdout
        if line.startswith(b'{"event"')
    )
    events = [(at, used, json.loads(line)) for at, used, line in lines]
    if process.wait() != 0 or events[-1][2]["event"] != "done":
        raise SystemExit(f"{command} failed:\n{(folder / 'log').read_text()[-3000:]}")
    return _figures(events)


def processor_seconds(pid: int) -> float:
    """Seconds that all threads of a running process have used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _figures(events: list[tuple[float, float, dict[str, Any]]]) -> dict[str, float]:
    steps = [each for each in events if each[2]["event"] == "step"]
    first, last = steps[WARM_UP - 1], steps[-1]
    before = first[2]["tokens"]
    timed = [event for _, _, event in steps[WARM_UP:]]
    seconds = 0.0
    for event in timed:
        # Ours reports the speed of each step, the bare script its seconds.
        speed = event.get("tokens_per_second")
        seconds += (event["tokens"] - before) / speed if speed else event["seconds"]
        before = event["tokens"]
    done = events[-1][2]
    tokens = last[2]["tokens"] - first[2]["tokens"]
    # The system counts in ticks, and two steps may fall into one.
    used = max(last[1] - first[1], 1 / os.sysconf("SC_CLK_TCK"))
    return {
        "tokens_per_second": tokens / seconds,
        "tokens_per_processor_second": tokens / used,
        "seconds_to_first_step": steps[0][0],
        "seconds_after_last_step": events[-1][0] - last[0],
        "peak_memory_bytes": done.get("peak_memory_bytes") or done["facts"]["peak_memory_bytes"],
        "final_loss": last[2]["loss"],
    }


def _as_text(scenario: Scenario) -> list[dict[str, str]]:
    """Rows as prompt and completion, rendered with the same template as ours."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(scenario.base)
    pairs = [
        render_example(tokenizer, row["instruction"], row["input"], row["output"]) for row in scenario.rows
    ]
    return [{"prompt": prompt, "completion": completion} for prompt, completion in pairs]


def share_of_the_device(tokens_per_second: float, parameters: int, size: int) -> dict[str, float]:
    """Share of the device's rate that is used: 4 N FLOP per token (forward, and backward through activations; the
    LoRA's own are negligible), against a bf16 matrix product of this size on this device."""
    import torch

    device, rounds = device_name(), 50
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    for count in (5, rounds):
        _wait_for_the_device()
        began = time.monotonic()
        for _ in range(count):
            left @ right
        _wait_for_the_device()
    rate = 2 * size**3 * rounds / (time.monotonic() - began)
    return {"matmul_flop_per_second": rate, "share": 4 * parameters * tokens_per_second / rate}


def _wait_for_the_device() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=["toy", "qwen2.5-1.5b"], default="toy")
    parser.add_argument("--rows", type=int, default=160, help="of the toy scenarios")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="64 rows, one round")
    parser.add_argument("--output", type=Path, default=ROOT / "var" / "bench" / "training.json")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rows, arguments.rounds = 64, 1
    results: dict[str, Any] = {
        "machine": platform.processor() or platform.machine(),
        "shape": arguments.shape,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.shape == "toy":
            scenarios = toy(arguments.rows)
        else:
            scenarios = reference_run(folder, QWEN_1_5B, rows=2700, tokens=1030)
        for scenario in scenarios:
            results[scenario.name] = compare(scenario, folder, arguments.rounds)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(results, indent=2))
    print(f"Written to {arguments.output}.")


def compare(scenario: Scenario, folder: Path, rounds: int, matmul_size: int = 8192) -> dict[str, Any]:
    """Medians over the rounds for each command, and speeds relative to the bare script of the same round. For the
    shape of a real model, also the share of the device and the duration of the seed's run."""
    runs: dict[str, list[dict[str, float]]] = {command: [] for command in COMMANDS}
    for number in range(rounds):
        for command in COMMANDS:
            place = folder / f"{scenario.name}-{number}-{command}".replace(" ", "-")
            runs[command].append(measure(scenario, command, place))
    medians: dict[str, Any] = {}
    for command, measured in runs.items():
        medians[command] = {key: statistics.median(run[key] for run in measured) for key in measured[0]}
        against = [
            ours["tokens_per_second"] / bare["tokens_per_second"]
            for ours, bare in zip(measured, runs["bare TRL"], strict=True)
        ]
        medians[command]["speed_against_bare"] = statistics.median(against)
        medians[command]["work_against_bare"] = statistics.median(
            bare["tokens_per_processor_second"] / ours["tokens_per_processor_second"]
            for ours, bare in zip(measured, runs["bare TRL"], strict=True)
        )
        figures = medians[command]
        print(
            f"{scenario.name}, {command}: {figures['tokens_per_second']:,.0f} tokens/s "
            f"({figures['speed_against_bare']:.2f} times the bare script, "
            f"{figures['work_against_bare']:.2f} times its processor time for a token), first step after "
            f"{figures['seconds_to_first_step']:.1f} s, {figures['seconds_after_last_step']:.1f} s after the last, "
            f"{figures['peak_memory_bytes'] / 2**20:,.0f} MiB at most",
            flush=True,
        )
        if scenario.parameters:
            figures |= share_of_the_device(figures["tokens_per_second"], scenario.parameters, matmul_size)
            aside = figures["seconds_to_first_step"] + figures["seconds_after_last_step"]
            minutes = (aside + REFERENCE_TOKENS / figures["tokens_per_second"]) / 60
            figures["reference_run_minutes"] = minutes
            print(
                f"  {figures['share']:.0%} of the device's rate; the seed's run would take {minutes:.1f} minutes"
            )
    return medians


if __name__ == "__main__":
    main()
