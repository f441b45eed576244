"""A single-file GGUF model as a folder of safetensors: `python -m worker.ml.convert JOB.json`.

Adapters are trained on 16-bit weights, so the file's quantised weights are unpacked once. What quantisation has
rounded stays rounded: the folder records the file's precision, and pages show it. The folder appears as `target` in
one step after its checks, so that a folder of this name is always whole.
"""

import shutil
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from training import model_folder
from worker.ml.errors import MlError
from worker.ml.protocol import Reporter, run_command


class ConvertJob(BaseModel):
    """The job file: the GGUF file, and the folder to make."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: Path
    target: Path


def main(reporter: Reporter, raw_job: dict[str, Any]) -> None:
    """Run one job; emits stages and at last `done` with the folder and its identity.

    Raises MlError: gguf_missing, gguf_unreadable, and the codes of `model_folder.inspect`.
    """
    job = ConvertJob.model_validate(raw_job)
    with reporter.quiet_stage("reading the file"):
        precision = precision_of(job.file)
    if not job.target.is_dir():
        partial = job.target.with_name(f".{job.target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        with reporter.quiet_stage("unpacking the weights"):
            unpack(job.file, partial)
        with reporter.quiet_stage("checking"):
            _inspect(partial)
            partial.rename(job.target)
    facts = _inspect(job.target)
    reporter.emit(
        "done", artefact=str(job.target), facts={"sha256": facts.weights_hash, "precision": precision}
    )


def precision_of(file: Path) -> str:
    """The precision of most weights in a GGUF file, as its format names it, such as Q4_1; raises MlError."""
    if not file.is_file():
        raise MlError("gguf_missing", f"There is no file {file}; give the path of a single GGUF file.")
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise MlError(
            "gguf_unreadable", "Reading GGUF files needs the package gguf; install the extra `worker`."
        ) from error
    try:
        tensors = GGUFReader(file).tensors
        sizes: dict[str, int] = {}
        for tensor in tensors:
            name = tensor.tensor_type.name
            sizes[name] = sizes.get(name, 0) + int(tensor.n_elements)
        return max(sizes, key=lambda name: sizes[name])
    except (ValueError, KeyError, IndexError, TypeError, OverflowError) as error:
        raise MlError(
            "gguf_unreadable", f"{file} is no readable GGUF file ({error}); copy it again."
        ) from error


def unpack(file: Path, folder: Path) -> None:
    """Write the model of a GGUF file as bf16 safetensors, with its tokenizer; `folder` must not exist."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where, name = str(file.parent), file.name
    try:
        tokenizer = AutoTokenizer.from_pretrained(where, gguf_file=name, trust_remote_code=False)
        loaded = AutoModelForCausalLM.from_pretrained(
            where,
            gguf_file=name,
            dtype=torch.bfloat16,
            quantization_config=GgufConfig(dequantize=True),
            trust_remote_code=False,
        )
    except (ValueError, KeyError, OSError, NotImplementedError, RuntimeError) as error:
        first = str(error).strip().partition("\n")[0][:300]
        raise MlError(
            "gguf_unreadable",
            f"{file} cannot be unpacked ({first}); give the model as a folder of safetensors instead.",
        ) from error
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    config.architectures = [type(loaded).__name__]
    # A model of its own: the loaded one refuses to be saved because it came from a quantised file.
    plain = type(loaded)(config).to(torch.bfloat16)
    plain.load_state_dict(loaded.state_dict())
    plain.tie_weights()
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _inspect(folder: Path) -> model_folder.ModelFolder:
    try:
        return model_folder.inspect(folder)
    except model_folder.ModelFolderError as error:
        raise MlError(error.code, str(error)) from error


if __name__ == "__main__":
    sys.exit(run_command(main))
