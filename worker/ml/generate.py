"""Responses of several models to the same prompts: `python -m worker.ml.generate JOB.json`.

One base is loaded; a model is that base with its adapter switched on, or with none. All models answer a batch one
after the other in rotating order, so that none always meets the colder machine.
"""

import sys
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.artefacts import verify
from training.config import DecodingConfig
from worker.ml.data import prompt_ids, read_jsonl, refuse_control_tokens
from worker.ml.errors import MlError
from worker.ml.models import device_name, inspect_base, load_base, load_tokenizer, resolve_base, stop_ids
from worker.ml.protocol import Reporter, run_command


class Side(BaseModel):
    """A model that answers; an adapter of null is the base itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    adapter: Path | None


class GenerateJob(BaseModel):
    """The job file; the baseline is the first side."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_model: str
    sides: list[Side] = Field(min_length=1)
    prompts_file: Path
    decoding: DecodingConfig


class PromptLine(BaseModel):
    """One line of the prompts file; `wanted` are the responses still missing, as (model, sample)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt_id: str | int
    key: str
    instruction: str
    input: Any
    wanted: list[tuple[str, int]]


@dataclass(frozen=True)
class Prompt:
    """A prompt with its token ids."""

    prompt_id: str | int
    key: str
    wanted: frozenset[tuple[str, int]]
    token_ids: list[int]


def main(reporter: Reporter, raw_job: dict[str, Any]) -> None:
    """Run one job; emits stage, responses (for each batch, model and sample) and done."""
    try:
        job = GenerateJob.model_validate(raw_job)
    except ValidationError as error:
        first = error.errors()[0]
        raise MlError(
            "job_invalid", f"The job's {'.'.join(map(str, first['loc']))}: {first['msg']}."
        ) from error
    adapters = {side.model: side.adapter for side in job.sides}
    with reporter.quiet_stage("checking inputs"):
        base_path = resolve_base(job.base_model)
        base = inspect_base(base_path)
        for folder in filter(None, adapters.values()):
            check_adapter(folder, base)
        tokenizer = load_tokenizer(base_path, embedding_rows=base["vocab"])
        prompts = _read_prompts(job.prompts_file, tokenizer)
        _check_context(base, prompts, job.decoding)
    with reporter.quiet_stage("loading model"):
        device = device_name()
        model = load_base(base_path, quantisation=job.decoding.quantisation, device=device)
        sides = Sides(model, tokenizer, stop_ids(tokenizer, base_path), adapters, job.decoding, reporter)
    with reporter.quiet_stage("warming up"):
        sides.prove_adapters(prompts[0].token_ids)
        for model_id in adapters:
            sides.respond(
                model_id, 0, prompts[: job.decoding.batch_size], seed=job.decoding.seed, max_new_tokens=4
            )
    reporter.stage("generating")
    total = sum(len(prompt.wanted) for prompt in prompts)
    seconds = _generate_all(reporter, sides, list(adapters), prompts, job.decoding)
    reporter.emit(
        "done",
        artefact=None,
        facts={
            "responses": total,
            "seconds": round(seconds, 3),
            "device": device,
            "dtype": str(model.dtype).removeprefix("torch."),
            "quantisation": job.decoding.quantisation,
            "merge_state": "unmerged",
            "warm_up": True,
            "batch_size": job.decoding.batch_size,
            "base_sha256": base["sha256"],
            "template_hash": base["template_hash"],
        },
    )


def check_adapter(folder: Path, base: dict[str, Any]) -> dict[str, Any]:
    """The facts of an adapter that is whole and belongs to this base; `base` comes from `inspect_base`.

    Raises ArtefactError, or MlError with code adapter_other_base or template_mismatch.
    """
    facts = verify(folder)
    # The template first: a changed template also changes the base's files, and is the more precise finding.
    if facts["template_hash"] != base["template_hash"]:
        raise MlError(
            "template_mismatch",
            f"The adapter in {folder} was trained with the chat template {facts['template_hash']}, the base now has "
            f"{base['template_hash']}; restore the tokenizer it was trained with or train again.",
        )
    if facts["base"]["sha256"] != base["sha256"]:
        raise MlError(
            "adapter_other_base",
            f"The adapter in {folder} was trained on {facts['base']['name']} with other files than this base "
            f"model; "
            "choose the base it was trained on.",
        )
    return facts


def _read_prompts(file: Path, tokenizer: Any) -> list[Prompt]:
    """All prompts, shortest first, so that a batch pads little."""
    try:
        lines = [PromptLine.model_validate(item) for item in read_jsonl(file)]
    except ValidationError as error:
        raise MlError(
            "data_invalid", f"{file} has a line that is no prompt: {error.errors()[0]['msg']}."
        ) from error
    refuse_control_tokens(
        tokenizer, ((str(line.prompt_id), (line.instruction, line.input)) for line in lines)
    )
    prompts = [
        Prompt(
            line.prompt_id,
            line.key,
            frozenset(line.wanted),
            prompt_ids(tokenizer, line.instruction, line.input),
        )
        for line in lines
    ]
    return sorted(prompts, key=lambda prompt: len(prompt.token_ids))


def _check_context(base: dict[str, Any], prompts: list[Prompt], decoding: DecodingConfig) -> None:
    longest = prompts[-1]
    needed = len(longest.token_ids) + decoding.max_new_tokens
    if base["context"] and needed > base["context"]:
        raise MlError(
            "prompt_too_long",
            f"Prompt {longest.prompt_id} with its answer may need {needed} tokens, the base model reads "
            f"{base['context']}; shorten the prompt or lower max_new_tokens.",
        )


def _generate_all(
    reporter: Reporter, sides: "Sides", models: list[str], prompts: list[Prompt], decoding: DecodingConfig
) -> float:
    """Generate batch by batch, every model and sample of each; returns the seconds spent generating."""
    done, seconds = 0, 0.0
    total = sum(len(prompt.wanted) for prompt in prompts)
    for index in range(0, len(prompts), decoding.batch_size):
        batch = prompts[index : index + decoding.batch_size]
        number = index // decoding.batch_size
        turn = number % len(models)
        for model, sample in product(models[turn:] + models[:turn], range(decoding.samples)):
            wanted = [prompt for prompt in batch if (model, sample) in prompt.wanted]
            if not wanted:
                continue
            started = time.monotonic()
            responses = sides.respond(
                model, sample, wanted, seed=decoding.seed + number, max_new_tokens=decoding.max_new_tokens
            )
            seconds += time.monotonic() - started
            done += len(responses)
            reporter.emit("responses", responses=responses, done=done, total=total)
    return seconds


class Sides:
    """One loaded base with the adapters of all models, of which exactly the asked one is on."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        ends: set[int],
        adapters: dict[str, Path | None],
        decoding: DecodingConfig,
        reporter: Reporter,
    ) -> None:
        self._tokenizer, self._ends, self._decoding, self._reporter = tokenizer, ends, decoding, reporter
        self._adapters = {model: folder for model, folder in adapters.items() if folder}
        self._model = _with_adapters(model, self._adapters)
        # The base's own defaults (top_k, repetition penalty) would otherwise fill what `_settings` leaves
        # open.
        self._model.generation_config = self._settings(decoding.max_new_tokens)
        self._model.eval()

    def prove_adapters(self, token_ids: list[int]) -> None:
        """Raise MlError("adapter_not_applied") unless each adapter changes what the base says."""
        from worker.ml.adapters import require_effect

        for name in self._adapters:
            self._model.set_adapter(name)
            require_effect(self._model, token_ids, adapter=name)

    def respond(
        self, model: str, sample: int, prompts: list[Prompt], *, seed: int, max_new_tokens: int
    ) -> list[dict[str, Any]]:
        """Generate for one batch; a latency is the time until that very sequence ended."""
        import torch
        from transformers import StoppingCriteriaList

        from worker.ml.timing import FinishTimes

        batch = self._tokenizer.pad(
            {"input_ids": [prompt.token_ids for prompt in prompts]}, return_tensors="pt"
        )
        batch = batch.to(self._model.device)
        width = batch["input_ids"].shape[1]
        torch.manual_seed(seed + sample)
        watch = FinishTimes(len(prompts), self._ends, self._reporter)
        with torch.no_grad(), self._only(model):
            output = self._model.generate(
                **batch,
                generation_config=self._settings(max_new_tokens),
                stopping_criteria=StoppingCriteriaList([watch]),
            )
        seconds = watch.seconds()
        return [
            {"model": model, "sample": sample, "batch_size": len(prompts)}
            | self._response(prompt, row[width:].tolist(), seconds[number])
            for number, (prompt, row) in enumerate(zip(prompts, output, strict=True))
        ]

    def _response(self, prompt: Prompt, tokens: list[int], seconds: float) -> dict[str, Any]:
        end = next((index for index, token in enumerate(tokens) if token in self._ends), None)
        written = tokens if end is None else tokens[:end]
        return {
            "prompt_id": prompt.prompt_id,
            "text": self._tokenizer.decode(written, skip_special_tokens=True).strip(),
            "input_tokens": len(prompt.token_ids),
            "output_tokens": len(tokens) if end is None else end + 1,  # the end token is generated too
            "batch_latency_ms": round(seconds * 1000, 1),
            "finish_reason": "length" if end is None else "stop",
        }

    def _only(self, model: str) -> Any:
        """A context in which exactly this model's adapter is on."""
        from contextlib import nullcontext

        if model in self._adapters:
            self._model.set_adapter(model)
            return nullcontext()
        return self._model.disable_adapter() if self._adapters else nullcontext()

    def _settings(self, max_new_tokens: int) -> Any:
        from transformers import GenerationConfig

        sampled = self._decoding.temperature > 0
        sampling = {"temperature": self._decoding.temperature, "top_p": self._decoding.top_p, "top_k": 0}
        return GenerationConfig(
            max_new_tokens=max_new_tokens,
            do_sample=sampled,
            pad_token_id=self._tokenizer.pad_token_id,
            eos_token_id=sorted(self._ends),
            **(sampling if sampled else {}),
        )


def _with_adapters(model: Any, adapters: dict[str, Path]) -> Any:
    from peft import PeftModel

    for number, (name, folder) in enumerate(adapters.items()):
        if number == 0:
            model = PeftModel.from_pretrained(model, folder, adapter_name=name)
        else:
            model.load_adapter(folder, adapter_name=name)
    return model


if __name__ == "__main__":
    sys.exit(run_command(main))
