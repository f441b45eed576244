"""The script a user would write with TRL alone: `python -m benchmarks.training_speed.bare JOB.json`.

Same base, rows, adapter and settings as our run, with TRL's defaults and without checks, reports or checkpoints.
Prints one JSON object per step and one at the end.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from datasets import Dataset
from peft import LoraConfig
from transformers import AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer

from worker.ml.memory import peak_memory
from worker.ml.models import device_name, load_base


class Clock(TrainerCallback):  # type: ignore[misc]
    """The seconds and tokens of each step, measured at the same points as ours."""

    def __init__(self) -> None:
        self.began = 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.began = time.monotonic()

    def on_log(self, _args: Any, state: Any, _control: Any, logs: dict[str, float], **_: Any) -> None:
        if "loss" in logs:
            seconds = time.monotonic() - self.began
            line = {
                "event": "step",
                "step": state.global_step,
                "seconds": seconds,
                "tokens": logs["num_tokens"],
            }
            print(json.dumps(line | {"loss": logs["loss"]}), flush=True)


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    config = job["config"]
    device = device_name()
    base = Path(job["base_model"])
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = load_base(base, quantisation="nf4" if config["method"] == "qlora" else "none", device=device)
    trainer = SFTTrainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(json.loads(Path(job["chat_file"]).read_text())),
        peft_config=LoraConfig(
            r=config["lora_r"],
            lora_alpha=config["lora_alpha"],
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
        args=SFTConfig(
            output_dir=job["output_dir"],
            num_train_epochs=config["epochs"],
            per_device_train_batch_size=config["batch_size"],
            learning_rate=config["learning_rate"],
            max_length=config["max_length"],
            seed=config["seed"],
            bf16=device != "cpu",
            use_cpu=device == "cpu",
            gradient_checkpointing=False,
            completion_only_loss=True,
            logging_steps=1,
            save_strategy="no",
            disable_tqdm=True,
            report_to="none",
        ),
        callbacks=[Clock()],
    )
    trainer.train()
    trainer.save_model(job["output_dir"])
    print(json.dumps({"event": "done", "peak_memory_bytes": peak_memory()}), flush=True)


if __name__ == "__main__":
    main()
