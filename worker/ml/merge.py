"""Merge an adapter into a 16-bit copy of its base: `python -m worker.ml.merge JOB.json`.

Merging rounds the weights, and an adapter trained on a 4-bit base is then applied to a different base. So the written
files are loaded again and compared with the unmerged model on the answers of real rows.
"""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from training.artefacts import publish
from training.model_folder import IDENTITY_FILES
from worker.ml.chat import rendering as rendering_of
from worker.ml.data import Row, read_rows, tokenise_rows
from worker.ml.errors import MlError
from worker.ml.models import device_name, inspect_base, load_base, load_tokenizer, resolve_base, stop_ids
from worker.ml.protocol import Reporter, run_command
from worker.ml.sides import adapter_rendering, check_adapter

_ROWS = 16
_PLAIN = [Row("plain", "Answer the question.", "What is the capital of France?", "Paris.")]
_WEIGHTS = (".safetensors", ".safetensors.index.json")


class MergeJob(BaseModel):
    """The job file. `rows_file` holds examples for the comparison; null uses one simple question."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_model: str
    adapter: Path
    rows_file: Path | None
    output_dir: Path


def main(reporter: Reporter, raw_job: dict[str, Any]) -> None:
    """Run one job. Emits stage, then done, whose facts describe what the merge changed."""
    try:
        job = MergeJob.model_validate(raw_job)
    except ValidationError as error:
        raise MlError("job_invalid", f"The job is not valid: {error.errors()[0]['msg']}.") from error
    with reporter.quiet_stage("checking inputs"):
        base_path = resolve_base(job.base_model)
        rendering = adapter_rendering([job.adapter])
        base = inspect_base(base_path, rendering)
        trained = check_adapter(job.adapter, base)
        tokenizer = load_tokenizer(base_path, embedding_rows=base["vocab"], rendering=rendering)
        rows = read_rows(job.rows_file)[:_ROWS] if job.rows_file else _PLAIN
        longest = base["context"] or sys.maxsize
        compared = tokenise_rows(rows, tokenizer, stop_ids(tokenizer, base_path), longest)
    device = device_name()
    with reporter.quiet_stage("asking the unmerged model"):
        model = _with_adapter(base_path, job.adapter, "none", device)
        unmerged = {"unmerged_16_bit": _answers(model, compared)}
        if trained["quantisation"] == "nf4":
            on_nf4 = _with_adapter(base_path, job.adapter, "nf4", device)
            unmerged["unmerged_as_trained"] = _answers(on_nf4, compared)
            del on_nf4

    def write(folder: Path) -> Mapping[str, Any]:
        import torch

        with reporter.quiet_stage("merging"):
            model.merge_and_unload().to(torch.bfloat16).save_pretrained(folder)
            _copy_the_rest(base_path, folder)
        with reporter.quiet_stage("asking the merged model"):
            merged = _answers(load_base(folder, quantisation="none", device=device), compared)
        return {
            "base": base | {"name": trained["base"]["name"]},
            "template_hash": base["template_hash"],
            "rendering": rendering_of(tokenizer).to_json(),
            "dtype": "bfloat16",
            "compared": {"rows": len(compared), "tokens": len(merged)},
            **{name: _difference(before, merged) for name, before in unmerged.items()},
        }

    facts: dict[str, Any] = {}
    digest = publish(job.output_dir, lambda folder: facts.setdefault("facts", write(folder)))
    reporter.emit("done", artefact=str(job.output_dir), facts=facts["facts"] | {"manifest_sha256": digest})


def _with_adapter(base_path: Path, adapter: Path, quantisation: str, device: str) -> Any:
    from peft import PeftModel

    model = PeftModel.from_pretrained(load_base(base_path, quantisation=quantisation, device=device), adapter)
    return model.eval()


def _answers(model: Any, rows: list[Any]) -> Any:
    """Logits (tokens, vocabulary) in fp32 on the CPU for every answer token of `rows`, given the preceding tokens."""
    import torch

    parts = []
    with torch.no_grad():
        for row in rows:
            logits = model(input_ids=torch.tensor([row.input_ids], device=model.device)).logits[0]
            scored = torch.tensor(row.completion_mask, dtype=torch.bool)[1:]
            parts.append(logits[:-1].float().cpu()[scored])
    return torch.cat(parts)


def _difference(before: Any, after: Any) -> dict[str, float]:
    """The difference between two models: absolute differences of logits, and the share of tokens that both would
    choose."""
    distance = (before - after).abs()
    return {
        "max_logit_difference": float(distance.max()),
        "mean_logit_difference": float(distance.mean()),
        "greedy_agreement": float((before.argmax(-1) == after.argmax(-1)).float().mean()),
    }


def _copy_the_rest(base_path: Path, folder: Path) -> None:
    """Copy tokenizer, template and generation settings from the base, but not its weights and configuration."""
    written = {path.name for path in folder.iterdir()}
    for pattern in IDENTITY_FILES:
        for file in base_path.glob(pattern):
            if file.name not in written and not file.name.endswith(_WEIGHTS):
                shutil.copyfile(file, folder / file.name)


if __name__ == "__main__":
    sys.exit(run_command(main))
