"""Generate the responses of several models to the same prompts: `python -m worker.ml.generate JOB.json`.

One base is loaded. Each model is that base with its adapter switched on, or the base itself. A merged model is loaded
in addition, so that latencies are still measured alternately. First, every model answers all prompts in large batches,
for throughput. Then some prompts are answered again one at a time, for latency.
"""

import sys
import time
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.config import DecodingConfig
from worker.ml.data import ControlTokens, control_tokens, prompt_ids
from worker.ml.errors import MlError
from worker.ml.latency import measure, warm_up
from worker.ml.models import device_name, inspect_base, load_base, load_tokenizer, resolve_base, stop_ids
from worker.ml.prompts import Measurement, PromptLine, read_prompts
from worker.ml.protocol import Reporter, run_command
from worker.ml.sides import Prompt, Sides, adapter_rendering, check_adapter

COMMIT_RESPONSES = 64
COMMIT_SECONDS = 2.0
WARM_UP_TOKENS = 4


class Side(BaseModel):
    """A model to generate with: an adapter on the base, a merged model, or the base itself if it has neither."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    adapter: Path | None
    merged: Path | None = None


class GenerateJob(BaseModel):
    """The job file. The first side is the baseline."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_model: str
    sides: list[Side] = Field(min_length=1)
    prompts_file: Path
    decoding: DecodingConfig
    measurements: list[Measurement] = []


def main(reporter: Reporter, raw_job: dict[str, Any]) -> None:
    """Run one job. Emits stage, responses, failures, timings and done."""
    job = _parse(raw_job)
    adapters = {side.model: side.adapter for side in job.sides}
    merged = {side.model: side.merged for side in job.sides if side.merged}
    with reporter.quiet_stage("checking inputs"):
        base_path = resolve_base(job.base_model)
        tuned = list(filter(None, [*adapters.values(), *merged.values()]))
        rendering = adapter_rendering(tuned)
        base = inspect_base(base_path, rendering)
        for folder in tuned:
            check_adapter(folder, base)
        tokenizer = load_tokenizer(base_path, embedding_rows=base["vocab"], rendering=rendering)
        ends = stop_ids(tokenizer, base_path)
        prompts, failures = _read_prompts(job, tokenizer, ends, base["context"])
    if failures:
        wanted = sum(len(prompt.wanted) for prompt in prompts)
        reporter.emit("failures", failures=failures, done=0, total=wanted or len(failures))
    if not prompts:
        reporter.emit("done", artefact=None, facts={"responses": 0})
        return
    with reporter.quiet_stage("loading model"):
        device = device_name()
        model = load_base(base_path, quantisation=job.decoding.quantisation, device=device)
        whole = {
            name: load_base(folder, quantisation=job.decoding.quantisation, device=device)
            for name, folder in merged.items()
        }
        sides = Sides(model, tokenizer, ends, adapters, job.decoding, whole)
    work = Work(reporter, job, sides, prompts)
    with reporter.quiet_stage("warming up"):
        sides.prove_adapters(prompts[0].token_ids)
        work.warm_up()
    facts = _conditions(job, base, model, device)
    if work.measurements:
        facts["latency"] = work.conditions()
    reporter.emit("facts", facts=facts)
    reporter.stage("generating")
    seconds = work.generate()
    if work.measurements:
        reporter.stage("measuring latency")
        work.measure()
    facts |= {"responses": work.total - len(work.measurements), "seconds": round(seconds, 3)}
    reporter.emit("done", artefact=None, facts=facts)


def _parse(raw_job: dict[str, Any]) -> GenerateJob:
    try:
        return GenerateJob.model_validate(raw_job)
    except ValidationError as error:
        first = error.errors()[0]
        raise MlError(
            "job_invalid", f"The job's {'.'.join(map(str, first['loc']))}: {first['msg']}."
        ) from error


def _read_prompts(
    job: GenerateJob, tokenizer: Any, ends: set[int], context: int | None
) -> tuple[list[Prompt], list[dict[str, Any]]]:
    """The valid prompts, longest first, and the reason for each wanted response that cannot be generated.

    Neighbours of similar length need little padding, and prompts that do not fit into memory fail first.
    """
    prompts: list[Prompt] = []
    failures: list[dict[str, Any]] = []
    spelled = control_tokens(tokenizer, ends)
    for line in read_prompts(job.prompts_file):
        ids, fault = _ids_or_fault(line, tokenizer, spelled)
        needed = len(ids) + job.decoding.max_new_tokens
        if fault is None and context and needed > context:
            fault = (
                "prompt_too_long",
                f"Prompt {line.key} with its answer may need {needed} tokens, the base model reads {context}; shorten "
                "the prompt or lower the longest response.",
            )
        if fault is None:
            prompts.append(Prompt(line.prompt_id, line.key, ids, frozenset(line.wanted)))
            continue
        failures += [
            {
                "prompt_id": line.prompt_id,
                "model": model,
                "sample": sample,
                "code": fault[0],
                "message": fault[1],
            }
            for model, sample in line.wanted
        ]
    return sorted(prompts, key=lambda prompt: -len(prompt.token_ids)), failures


def _ids_or_fault(
    line: PromptLine, tokenizer: Any, spelled: ControlTokens
) -> tuple[list[int], tuple[str, str] | None]:
    """A prompt's token ids, or why it cannot be asked, as code and message; one that spells a control token could end
    its turn early or open another speaker's.

    Raises MlError naming the prompt if the template does not render it: then no model of the job can answer it.
    """
    try:
        turns = line.turns
        if tokens := spelled.within(turns, line.tools):
            return [], (
                "control_token_in_text",
                f"Prompt {line.key} contains the base model's own control token {tokens[0]}; remove it from the "
                "text.",
            )
        return prompt_ids(tokenizer, turns, line.tools), None
    except MlError as error:
        raise MlError(error.code, f"Prompt {line.key}: {error}") from error


def _conditions(job: GenerateJob, base: dict[str, Any], model: Any, device: str) -> dict[str, Any]:
    """The conditions under which every model generates."""
    return {
        "engine": "local",
        "device": device,
        "device_name": _device_label(device),
        "dtype": str(model.dtype).removeprefix("torch."),
        "quantisation": job.decoding.quantisation,
        "merge_state": _merge_state(job.sides),
        "batching": "continuous",
        "warm_up": True,
        "batch_size": job.decoding.batch_size,
        "base_sha256": base["sha256"],
        "template_hash": base["template_hash"],
    }


def _merge_state(sides: list[Side]) -> str:
    """`unmerged` if all adapters are applied to their base, `merged` if none is, `both` otherwise."""
    if not any(side.merged for side in sides):
        return "unmerged"
    return "both" if any(side.adapter for side in sides) else "merged"


def _device_label(device: str) -> str:
    import platform

    import torch

    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{platform.machine()} with {torch.get_num_threads()} threads"


class Work:
    """The planned work of a job; reports its progress to the supervisor."""

    def __init__(self, reporter: Reporter, job: GenerateJob, sides: Sides, prompts: list[Prompt]) -> None:
        self._reporter, self._job, self._sides, self._prompts = reporter, job, sides, prompts
        self._models = [side.model for side in job.sides]
        askable = {prompt.prompt_id for prompt in prompts}
        self.measurements = [each for each in job.measurements if each.prompt_id in askable]
        self.total = sum(len(prompt.wanted) for prompt in prompts) + len(self.measurements)
        self._done = 0

    def _tick(self) -> None:
        self._reporter.alive()
        self._reporter.check_stop()

    def warm_up(self) -> None:
        """Generate a few tokens with every model, in batches of the full size."""
        some = self._prompts[: self._job.decoding.batch_size]
        for model in self._models:
            rows = [self._sides.row(prompt, 0) for prompt in some]
            list(self._sides.write(model, rows, tick=self._tick, max_new_tokens=WARM_UP_TOKENS))

    def generate(self) -> float:
        """Generate the missing responses, one model after the other. Returns the seconds taken."""
        seconds = 0.0
        for model in self._models:
            rows = [
                self._sides.row(prompt, sample)
                for prompt in self._prompts
                for name, sample in sorted(prompt.wanted)
                if name == model
            ]
            started = last = time.monotonic()
            finished: list[dict[str, Any]] = []
            for ended in self._sides.write(model, rows, tick=self._tick):
                finished += [self._sides.response(model, row) for row in ended]
                now = time.monotonic()
                if len(finished) >= COMMIT_RESPONSES or now - last >= COMMIT_SECONDS:
                    self._hand_over("responses", finished)
                    finished, last = [], now
            if finished:
                self._hand_over("responses", finished)
            seconds += time.monotonic() - started
        return seconds

    def measure(self) -> None:
        """Run the planned latency measurements in order."""
        prompts = {prompt.prompt_id: prompt for prompt in self._prompts}
        planned = sorted(self.measurements, key=lambda each: each.place)
        warm_up(self._sides, self._models, prompts[planned[0].prompt_id], self._tick)
        for _, group in groupby(planned, key=lambda each: each.prompt_id):
            timings = [measure(self._sides, each, prompts[each.prompt_id], self._tick) for each in group]
            self._hand_over("timings", timings)

    def _hand_over(self, kind: str, items: list[dict[str, Any]]) -> None:
        self._done += len(items)
        self._reporter.emit(kind, **{kind: items}, done=self._done, total=self.total)

    def conditions(self) -> dict[str, Any]:
        """The conditions of the latency measurements, which are the same for every model except for its adapter."""
        return {
            "batch_size": 1,
            "warm_up": "every model, twice",
            "order": "the models in random order for every prompt",
            "cache": "keys and values of the response itself; no prompt was in a cache before",
            "adapter": {
                model: "switched on, not merged"
                if model in self._sides.adapters
                else "merged into the weights"
                if model in self._sides.whole
                else "none"
                for model in self._models
            },
        }


if __name__ == "__main__":
    sys.exit(run_command(main))
