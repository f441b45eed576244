"""Supervised fine-tuning of one adapter: `python -m worker.ml.train JOB.json`.

Reads top to bottom: check everything that can be checked, load, build, train, prove the adapter works,
publish. Events on stdout are described in `worker.ml.protocol`; the result is an artefact folder
(`training.artefacts`).
"""

import shutil
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from training.artefacts import file_sha256, publish
from worker.ml.chat import rendering
from worker.ml.processes import become_launcher
from worker.ml.protocol import Reporter, run_command
from worker.ml.train_job import parse, read_inputs

LIBRARIES = ("torch", "transformers", "trl", "peft", "bitsandbytes", "accelerate")


def main(reporter: Reporter, raw_job: dict[str, Any]) -> None:
    """Run one job; emits stage, history, step, evaluation, samples, checkpoint and at last done or cancelled."""
    job = parse(raw_job)
    with reporter.quiet_stage("checking inputs"):
        inputs = read_inputs(job)
    with reporter.quiet_stage("loading model"):
        # Imported late, so that an invalid job is rejected without waiting for these.
        from worker.ml.adapters import require_effect, save_adapter
        from worker.ml.memory import peak_memory
        from worker.ml.models import device_name, load_base
        from worker.ml.saving import staging
        from worker.ml.setup import keep_best, set_up

        device = device_name()
        quantisation = "nf4" if job.config.method == "qlora" else "none"
        model = load_base(inputs.base_path, quantisation=quantisation, device=device)
        setup = set_up(reporter, job, inputs, model, device)
    reporter.stage("training")
    setup.trainer.train(resume_from_checkpoint=str(job.resume_from) if job.resume_from else None)
    setup.recorder.raise_if_stopped()
    if not setup.trainer.is_world_process_zero():
        return
    with reporter.quiet_stage("checking adapter"):
        kept_step = keep_best(job, setup)
        effect = require_effect(
            setup.trainer.model, inputs.splits["validation"][0].input_ids, start=setup.principal_start
        )
    base = inputs.base
    facts = {
        "base": base | {"name": job.base_model if "@" in job.base_model else inputs.base_path.name},
        "template_hash": base["template_hash"],
        "rendering": rendering(inputs.tokenizer).to_json(),
        "config": job.config.model_dump(),
        "quantisation": quantisation,
        "libraries": {name: version(name) for name in LIBRARIES},
        "datasets": {
            name: {
                "rows": len(inputs.splits[name]),
                "sha256": file_sha256(file),
                "dropped": inputs.dropped[name],
            }
            for name, file in {"train": job.train_file, "validation": job.validation_file}.items()
        },
        "metrics": setup.recorder.summary(kept_step=kept_step),
        "adapter": effect,
        "device": device.partition(":")[0],
        "peak_memory_bytes": peak_memory(),
    }

    def write(folder: Path) -> Mapping[str, Any]:
        save_adapter(
            setup.trainer.model, folder, base_name=facts["base"]["name"], start=setup.principal_start
        )
        return facts

    with reporter.quiet_stage("saving"):
        digest = publish(job.output_dir, write)
        shutil.rmtree(staging(job.attempt_folder), ignore_errors=True)
    reporter.emit("done", artefact=str(job.output_dir), facts=facts | {"manifest_sha256": digest})


if __name__ == "__main__":
    become_launcher("worker.ml.train", sys.argv[-1])
    sys.exit(run_command(main))
