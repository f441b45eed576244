"""Generation runs: launch, store responses batch by batch, make pairs when every side is complete."""

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction

from evaluation.comparison import Judge
from evaluation.matching import printable
from evaluation.models import GenerationRun, Pair, Prompt, PromptSet, Response, RunCandidate
from evaluation.services import comparisons
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from training.config import DecodingConfig
from training.models import ModelVersion

MAX_CANDIDATES = 8
_BATCH = 1000


def launch(
    *,
    user: User,
    name: str,
    prompt_set: PromptSet,
    candidates: Sequence[ModelVersion],
    decoding: DecodingConfig,
    baseline: ModelVersion | None = None,
    idempotency_key: str | None = None,
) -> GenerationRun:
    """Queue the responses of a baseline and its candidates; without a baseline, it is the first candidate's base.

    Raises DomainError: no_candidate, too_many_candidates, no_baseline, same_model, not_local, adapter_other_base,
    template_mismatch.
    """
    baseline = _baseline(baseline, candidates)
    check_models(baseline, candidates)
    frozen = {
        "name": name,
        "prompt_set": prompt_set,
        "baseline": baseline,
        "decoding": decoding.model_dump(),
    }
    try:
        with transaction.atomic():
            run = GenerationRun.objects.create(
                kind=Job.Kind.GENERATION, idempotency_key=idempotency_key or None, created_by=user, **frozen
            )
            RunCandidate.objects.bulk_create(
                RunCandidate(run=run, model=model, position=position)
                for position, model in enumerate(candidates)
            )
            audit.record(actor=user, action="generation_run.launch", target=run)
            jobs.announce(run)
            return run
    except IntegrityError:
        same = jobs.launched_before(
            GenerationRun,
            user=user,
            idempotency_key=idempotency_key,
            candidates=list(candidates),
            **frozen,
        )
        if same is None:
            raise
        return same


def _baseline(baseline: ModelVersion | None, candidates: Sequence[ModelVersion]) -> ModelVersion:
    if not candidates:
        raise DomainError("no_candidate", "Choose at least one candidate to compare.", status=400)
    if len(candidates) > MAX_CANDIDATES:
        raise DomainError(
            "too_many_candidates", f"One run compares at most {MAX_CANDIDATES} candidates.", status=400
        )
    found = baseline or candidates[0].base
    if found is None:
        raise DomainError(
            "no_baseline",
            f"{candidates[0]} is no adapter, so its baseline is not known; choose one.",
            status=400,
        )
    return found


def check_models(baseline: ModelVersion, candidates: Sequence[ModelVersion]) -> None:
    """Raise DomainError unless one loaded base can answer for all of them, rendering prompts in one way."""
    models = [baseline, *candidates]
    for number, model in enumerate(models):
        if model in models[:number]:
            raise DomainError("same_model", f"{model} is chosen twice; every model answers once.", status=400)
        if model.kind == ModelVersion.Kind.EXTERNAL:
            raise DomainError(
                "not_local", f"{model} is known by its name alone; no worker can load it.", status=400
            )
        if model.kind == ModelVersion.Kind.MERGED:
            raise DomainError(
                "merged_model",
                f"{model} is a whole model, and a run switches adapters on one loaded base; compare the adapter.",
                status=400,
            )
    base = baseline.base or baseline
    for model in candidates:
        if (model.base or model) != base:
            raise DomainError(
                "adapter_other_base",
                f"{model} stands on {model.base or model}, but the baseline {baseline} stands on {base}; "
                "models of one comparison share their base.",
            )
    _check_templates(models)


def _check_templates(models: list[ModelVersion]) -> None:
    known = [(model, hash_) for model in models if (hash_ := _template_hash(model))]
    for model, template in known[1:]:
        first, expected = known[0]
        if template != expected:
            raise DomainError(
                "template_mismatch",
                f"{model} was trained with the chat template {template}, {first} with {expected}; "
                "they would not be asked the same question.",
            )


def _template_hash(model: ModelVersion) -> str | None:
    return model.run.facts.get("template_hash") if model.run else None


@transaction.atomic
def begin_attempt(claim: jobs.Claim) -> GenerationRun:
    jobs.check_current(claim)
    return GenerationRun.objects.select_related("prompt_set", "baseline__base").get(pk=claim.job_id)


def remaining(run: GenerationRun) -> list[dict[str, Any]]:
    """Prompts with what they still lack, as [model id, sample]: what an interrupted run has yet to do."""
    every = [(str(model.pk), sample) for model in run.model_versions for sample in range(run.samples)]
    done: dict[int, set[tuple[str, int]]] = {}
    for prompt_id, model_id, sample in run.responses.values_list("prompt_id", "model_id", "sample"):
        done.setdefault(prompt_id, set()).add((str(model_id), sample))
    return [
        {
            "prompt_id": prompt.pk,
            "key": prompt.key,
            "instruction": prompt.instruction,
            "input": prompt.input,
            "wanted": wanted,
        }
        for prompt in run.prompt_set.prompts.all()
        if (wanted := [each for each in every if each not in done.get(prompt.pk, ())])
    ]


def expected(run: GenerationRun) -> int:
    """How many responses the whole run has."""
    return run.prompt_set.size * len(run.model_versions) * run.samples


@transaction.atomic
def record_responses(claim: jobs.Claim, responses: list[dict[str, Any]]) -> None:
    """Store one batch; a response that is already there stays as it was.

    Raises DomainError `unknown_prompt` when one of them answers a prompt that is not the run's; then none is stored.
    """
    jobs.check_current(claim)
    run = GenerationRun.objects.select_related("prompt_set").get(pk=claim.job_id)
    judge = comparisons.judge_of(run.prompt_set)
    prompts = Prompt.objects.filter(prompt_set=run.prompt_set_id).in_bulk(
        {response["prompt_id"] for response in responses}
    )
    unknown = [response["prompt_id"] for response in responses if response["prompt_id"] not in prompts]
    if unknown:
        raise DomainError(
            "unknown_prompt",
            f"The worker answered prompt {unknown[0]}, which this run never asked; the batch was refused.",
        )
    Response.objects.bulk_create(
        [_response(run, judge, prompts[response["prompt_id"]], response) for response in responses],
        ignore_conflicts=True,
    )


def _response(run: GenerationRun, judge: Judge, prompt: Prompt, values: dict[str, Any]) -> Response:
    text = printable(values["text"])
    match, measures = comparisons.judged(judge, prompt, text)
    own = {name: value for name, value in values.items() if name not in ("model", "text")}
    return Response(run=run, model_id=values["model"], text=text, match=match, measures=measures, **own)


@transaction.atomic
def complete(claim: jobs.Claim, facts: dict[str, Any]) -> int:
    """Make the pairs of every candidate once each model has answered everything; returns their number."""
    jobs.check_current(claim)
    run = GenerationRun.objects.get(pk=claim.job_id)
    made = {
        (prompt_id, model_id, sample): pk
        for pk, prompt_id, model_id, sample in run.responses.values_list(
            "pk", "prompt_id", "model_id", "sample"
        )
    }
    missing = expected(run) - len(made)
    if missing:
        raise DomainError("incomplete", f"{missing:,} responses are still missing.")
    baseline = [key for key in made if key[1] == run.baseline_id]
    pairs = [
        Pair(
            run=run,
            prompt_id=prompt_id,
            sample=sample,
            candidate_model=candidate,
            baseline_id=made[prompt_id, run.baseline_id, sample],
            candidate_id=made[prompt_id, candidate.pk, sample],
        )
        for candidate in run.candidates
        for prompt_id, _, sample in sorted(baseline, key=lambda key: (key[0], key[2]))
    ]
    Pair.objects.bulk_create(pairs, ignore_conflicts=True, batch_size=_BATCH)
    GenerationRun.objects.filter(pk=run.pk).update(facts=facts)
    comparisons.summarise(run)
    return len(pairs)
