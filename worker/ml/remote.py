"""Responses of several models to the same prompts, asked of an endpoint: `python -m worker.ml.remote JOB.json`.

The endpoint serves every model under a name of its own and renders the chat template itself. Some requests run at
once; each response is handed over as it comes. A request that fails is tried again with growing pauses; while the
endpoint is gone for all of them, the run waits for it. What still fails is reported by name and can be asked again
by a later attempt. Latency is measured last, by streaming, with one request at a time.
"""

import os
import queue
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.config import DecodingConfig
from worker.ml.asking import Question, remedy, request_body
from worker.ml.completions import EndpointError
from worker.ml.endpoint import Client, Completion
from worker.ml.errors import MlError
from worker.ml.prompts import Measurement, PromptLine, read_prompts
from worker.ml.protocol import Reporter, run_command

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
PROBE_SECONDS = 2.0
# Most kinds of reasons to record why latencies were not measured.
REASONS = 5


class Served(BaseModel):
    """A model and the name that the endpoint knows it by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    served: str


class RemoteJob(BaseModel):
    """The job file. The key itself never is in it: `key_variable` names the environment variable that holds it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    base_url: str
    key_variable: str
    timeout_seconds: float = Field(gt=0)
    patience_seconds: float = Field(ge=0)
    attempts: int = Field(ge=1)
    concurrency: int = Field(ge=1)
    parameters: dict[str, str]
    extra_body: dict[str, Any]
    sides: list[Served] = Field(min_length=1)
    prompts_file: Path
    decoding: DecodingConfig
    measurements: list[Measurement] = []


Answer = Completion | EndpointError


def main(reporter: Reporter, raw_job: dict[str, Any]) -> None:
    """Run one job; emits stage, responses, failures, timings and done."""
    try:
        job = RemoteJob.model_validate(raw_job)
    except ValidationError as error:
        first = error.errors()[0]
        raise MlError(
            "job_invalid", f"The job's {'.'.join(map(str, first['loc']))}: {first['msg']}."
        ) from error
    with reporter.quiet_stage("checking inputs"):
        prompts = read_prompts(job.prompts_file)
        work = Work(reporter, job, prompts)
        warnings = work.check_served()
    facts = _conditions(job) | {"warnings": warnings}
    reporter.emit("facts", facts=facts)
    reporter.stage("generating")
    began = time.monotonic()
    work.ask_all()
    facts |= {"responses": work.answered, "seconds": round(time.monotonic() - began, 3)}
    if job.measurements:
        reporter.stage("measuring latency")
        work.measure()
    reporter.emit("done", artefact=None, facts=facts)


def _conditions(job: RemoteJob) -> dict[str, Any]:
    """What is known of how the endpoint answers; the device and the numbers' precision are its own affair."""
    facts: dict[str, Any] = {
        "engine": job.name,
        "served": {side.model: side.served for side in job.sides},
        "parameters": job.parameters,
        "batching": f"{job.concurrency} requests at once; the endpoint batches them as it likes",
        "batch_size": job.concurrency,
        "template": "rendered by the endpoint",
    }
    if job.measurements:
        facts["latency"] = {
            "batch_size": 1,
            "warm_up": "every model, once",
            "order": "the models in random order for every prompt",
            "cache": "every prompt was asked before, so the endpoint may have had it in a cache",
            "path": "over HTTP, streamed; the network is part of it",
        }
    return facts


class Work:
    """The questions of one job and the endpoint that is asked."""

    def __init__(self, reporter: Reporter, job: RemoteJob, prompts: list[PromptLine]) -> None:
        self._reporter, self._job, self._prompts = reporter, job, prompts
        key = os.environ.get(job.key_variable, "") if job.key_variable else ""
        if job.key_variable and not key:
            raise MlError(
                "endpoint_key",
                f"The endpoint {job.name} needs a key, but the worker's environment has no {job.key_variable}; "
                "set it and try again.",
            )
        self._client = Client(job.base_url, key, job.timeout_seconds)
        self._served = {side.model: side.served for side in job.sides}
        self.answered = self._measured = 0
        wanted = sum(len(prompt.wanted) for prompt in prompts)
        self._total = wanted + len(job.measurements)

    def check_served(self) -> list[str]:
        """Raise MlError unless the endpoint answers and serves every model under its name.

        An endpoint that answers, but has no readable list of models, may serve them all the same: a warning.
        """
        try:
            listed = self._persist(self._client.models)
        except EndpointError as error:
            if not _is_answer(error):
                raise self._lost(error) from error
            return [
                f"The endpoint's list of models could not be read, so the models were not checked: {error}"
            ]
        for name in self._served.values():
            if name not in listed:
                raise MlError(
                    "model_not_served",
                    f"The endpoint {self._job.name} does not serve {name}; "
                    f"it serves {', '.join(listed[:10]) or 'nothing'}. "
                    "Load the model there, or name it in the endpoint's models.",
                )
        return []

    def ask_all(self) -> None:
        """Ask every open question; what failed is asked once more at the end, then reported."""
        open_ = [
            Question(prompt, model, sample)
            for prompt in self._prompts
            for model, sample in sorted(prompt.wanted)
        ]
        again = self._round(open_)
        for question, error in self._round([question for question, _ in again]):
            self._report_failure(question, error)

    def _round(self, questions: list[Question]) -> list[tuple[Question, EndpointError]]:
        """Ask them all, some at once, and hand over each response as it comes; returns what failed."""
        waiting: queue.SimpleQueue[Question] = queue.SimpleQueue()
        answers: queue.SimpleQueue[tuple[Question, Answer]] = queue.SimpleQueue()
        for question in questions:
            waiting.put(question)
        stop = threading.Event()
        for _ in range(min(self._job.concurrency, len(questions))):
            # Daemons: a request that hangs must not keep a cancelled run alive.
            threading.Thread(target=self._ask, args=(waiting, answers, stop), daemon=True).start()
        failed: list[tuple[Question, EndpointError]] = []
        try:
            for _ in questions:
                question, answer = self._next(answers)
                if isinstance(answer, Completion):
                    self._report_response(question, answer)
                    continue
                if answer.code == "endpoint_key" or (answer.passing and not self._is_back()):
                    raise self._lost(answer)
                failed.append((question, answer))
        finally:
            stop.set()
        return failed

    def _ask(self, waiting: Any, answers: Any, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                question: Question = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                request = self._request(question)
                answers.put((question, self._persist(partial(self._client.complete, request))))
            except EndpointError as error:
                answers.put((question, error))

    def _next(self, answers: Any) -> tuple[Question, Answer]:
        while True:
            self._reporter.check_stop()
            self._reporter.alive()
            try:
                found: tuple[Question, Answer] = answers.get(timeout=0.2)
            except queue.Empty:
                continue
            return found

    def _persist(self, ask: Callable[[], Any]) -> Any:
        """Try some times with growing pauses, as long as trying again may help. Raises the last EndpointError."""
        for attempt in range(self._job.attempts):
            try:
                return ask()
            except EndpointError as error:
                if not error.passing or attempt == self._job.attempts - 1:
                    raise
                pause = min(FIRST_PAUSE * 2**attempt * random.uniform(0.8, 1.2), LONGEST_PAUSE)
                asked = min(error.wait, max(LONGEST_PAUSE, self._job.patience_seconds))
                time.sleep(max(pause, asked))
        raise AssertionError("at least one attempt is made")

    def _is_back(self) -> bool:
        """Whether the endpoint answers at all, now or within the patience that is configured."""
        until = time.monotonic() + self._job.patience_seconds
        while True:
            try:
                self._client.models()
            except EndpointError as error:
                if _is_answer(error):
                    return True
                if time.monotonic() >= until:
                    return False
                for _ in range(10):
                    self._reporter.check_stop()
                    self._reporter.alive()
                    time.sleep(PROBE_SECONDS / 10)
            else:
                return True

    def measure(self) -> None:
        """Take the planned measurements in their order; those that fail are left out, and the facts say why."""
        prompts = {prompt.prompt_id: prompt for prompt in self._prompts}
        planned = sorted(self._job.measurements, key=lambda each: each.place)
        reasons: dict[str, Counter[str]] = {model: Counter() for model in self._served}
        for model in self._served:
            with suppress(EndpointError):
                self._stream(Question(prompts[planned[0].prompt_id], model, 0))
        for each in planned:
            self._reporter.check_stop()
            self._measured += 1
            try:
                timing = self._timing(self._stream(Question(prompts[each.prompt_id], each.model, 0)))
            except EndpointError as error:
                reasons[each.model][str(error)] += 1
            else:
                self._hand_over("timings", [each.model_dump() | timing])
        unmeasured = {model: counted.most_common(REASONS) for model, counted in reasons.items()}
        self._reporter.emit("facts", facts={"unmeasured": unmeasured})

    def _stream(self, question: Question) -> Completion:
        """One streamed response; tried once only, because a second try is no longer the first."""
        return self._client.stream(self._request(question))

    def _timing(self, found: Completion) -> dict[str, Any]:
        if found.first_seconds is None:
            raise EndpointError("endpoint_no_text", "The endpoint's stream held no text.")
        return {
            "input_tokens": found.input_tokens,
            "output_tokens": found.output_tokens,
            "first_token_ms": round(found.first_seconds * 1000, 3),
            "total_ms": round(found.seconds * 1000, 3),
        }

    def _request(self, question: Question) -> dict[str, Any]:
        job = self._job
        served = self._served[question.model]
        try:
            return request_body(question, served, job.decoding, job.parameters, job.extra_body)
        except MlError as error:
            raise EndpointError(error.code, str(error), passing=False) from error

    def _report_response(self, question: Question, found: Completion) -> None:
        self.answered += 1
        response = {
            **_identity(question),
            "text": found.text.strip(),
            "input_tokens": found.input_tokens,
            "output_tokens": found.output_tokens,
            "batch_latency_ms": round(found.seconds * 1000, 1),
            "batch_size": self._job.concurrency,
            "finish_reason": found.finish.reason,
            "finish_word": found.finish.word,
        }
        self._hand_over("responses", [response])

    def _report_failure(self, question: Question, error: EndpointError) -> None:
        message = f"{error}{remedy(str(error))}" if error.code == "endpoint_status" else str(error)
        self._hand_over("failures", [{**_identity(question), "code": error.code, "message": message}])

    def _hand_over(self, kind: str, items: list[dict[str, Any]]) -> None:
        done = self.answered + self._measured
        self._reporter.emit(kind, **{kind: items}, done=done, total=self._total)

    def _lost(self, error: EndpointError) -> MlError:
        return MlError(
            error.code,
            f"The endpoint {self._job.name}: {error} What it had answered is stored; retry the missing responses when "
            "it is back.",
        )


def _is_answer(error: EndpointError) -> bool:
    """Whether an error shows that the endpoint is there: it refused the request, or answered with something else."""
    return not error.passing or error.code == "endpoint_malformed"


def _identity(question: Question) -> dict[str, Any]:
    return {
        "prompt_id": question.prompt.prompt_id,
        "model": question.model,
        "sample": question.sample,
    }


if __name__ == "__main__":
    sys.exit(run_command(main))
