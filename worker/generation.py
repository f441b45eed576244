"""One attempt of a comparison: write a job file for what is missing and store what its process reports."""

import json
import shutil
from typing import Any

from evaluation.comparison import engines
from evaluation.comparison.services import responses
from evaluation.models import Comparison
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from training.models import ModelVersion
from worker.supervise import Attempt, Event, Outcome


def run_attempt(claim: jobs.Claim) -> Outcome:
    """Generate the missing responses, then make the pairs. Raises DomainError, also if responses stay missing."""
    comparison = responses.begin_attempt(claim)
    folder = comparison.folder / f"attempt-{claim.attempt}"
    folder.mkdir(parents=True, exist_ok=True)
    prompts, measurements = responses.remaining(comparison)
    outcome = Outcome(Job.Status.SUCCEEDED, message="", done={"facts": {}})
    if prompts:
        prompts_file = folder / "prompts.jsonl"
        with prompts_file.open("w", encoding="utf-8") as out:
            out.writelines(json.dumps(prompt, ensure_ascii=False) + "\n" for prompt in prompts)
        module, engine = _local(comparison) if comparison.engine == engines.LOCAL else _remote(comparison)
        job = {
            "prompts_file": str(prompts_file),
            "decoding": comparison.decoding,
            "measurements": measurements,
            **engine,
        }
        outcome = Attempt(claim, module, job, folder, lambda events: _store(claim, events)).run()
    if outcome.status == Job.Status.SUCCEEDED:
        wanted = sum(len(prompt["wanted"]) for prompt in prompts)
        already = (
            comparison.responses.count()
            if comparison.without_missing
            else responses.expected(comparison) - wanted
        )
        responses.complete(claim, outcome.done["facts"] | {"responses_of_earlier_attempts": already})
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


def _local(comparison: Comparison) -> tuple[str, dict[str, Any]]:
    kind = ModelVersion.Kind
    sides = [
        {
            "model": str(model.pk),
            "adapter": model.path if model.kind == kind.ADAPTER else None,
            "merged": model.path if model.kind == kind.MERGED else None,
        }
        for model in comparison.model_versions
    ]
    return "worker.ml.generate", {
        "base_model": (comparison.baseline.base or comparison.baseline).path,
        "sides": sides,
    }


def _remote(comparison: Comparison) -> tuple[str, dict[str, Any]]:
    endpoint = engines.configured().get(comparison.engine)
    if endpoint is None:
        raise DomainError(
            "unknown_engine",
            f"The worker does not know the engine {comparison.engine}. "
            "Give it the same GENERATION_ENDPOINTS_FILE as the site.",
        )
    sides = [
        {"model": str(model.pk), "served": endpoint.served_name(model.name)}
        for model in comparison.model_versions
    ]
    settings_ = endpoint.model_dump(exclude={"models"})
    settings_["parameters"] |= comparison.parameters
    return "worker.ml.remote", {"name": comparison.engine, "sides": sides, **settings_}


def _store(claim: jobs.Claim, events: list[Event]) -> None:
    """Store events that arrived together in as few transactions as possible."""
    gathered: dict[str, list[dict[str, Any]]] = {"responses": [], "timings": [], "failures": []}
    for event in events:
        kind = event["event"]
        if kind in gathered:
            gathered[kind] += event[kind]
        elif kind == "facts":
            responses.record_facts(claim, event["facts"])
            for warning in event["facts"].get("warnings", ()):
                jobs.note(claim, warning)
        elif kind == "stage":
            jobs.note(claim, f"{str(event['stage']).capitalize()}.")
    if gathered["responses"]:
        responses.record_responses(claim, gathered["responses"])
        jobs.progressed(claim)
    if gathered["timings"]:
        responses.record_timings(claim, gathered["timings"])
    if gathered["failures"]:
        responses.record_failures(claim, gathered["failures"])
