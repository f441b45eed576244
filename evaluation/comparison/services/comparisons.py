"""Launching comparisons, and retrying those that failed."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction

from evaluation.comparison import engines
from evaluation.comparison.services import leakage, prompts
from evaluation.models import Comparison, ComparisonCandidate, PromptSet
from evaluation.models.comparison_actions import ComparisonAction
from ftplatform import queues
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from training.config import DecodingConfig
from training.models import Dataset, ModelVersion

MAX_CANDIDATES = 8


def launch(
    *,
    user: User,
    name: str,
    prompt_set: PromptSet,
    candidates: Sequence[ModelVersion],
    decoding: DecodingConfig,
    baseline: ModelVersion | None = None,
    engine: str = engines.LOCAL,
    parameters: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
    leakage_reason: str = "",
    leave_out_leaked: bool = False,
) -> Comparison:
    """Queue the responses of a baseline and its candidates.

    Without a baseline, the first candidate's base model is used. `engine` is local or the name of a configured
    endpoint, which then answers for all models. `parameters` renames request parameters for it, or leaves out those
    with an empty name, besides what the operator has configured.

    Prompts that a model was trained on are left out on request: the comparison then has a new prompt set without
    them. Otherwise they need a `leakage_reason`, or DomainError `leakage` is raised. Other DomainErrors:
    no_candidate, too_many_candidates, no_baseline, same_model, unknown_engine, parameters, not_local,
    adapter_other_base, template_mismatch, tools_unsupported, empty_prompt_set.
    """
    baseline = _baseline(baseline, candidates)
    _check_distinct([baseline, *candidates])
    _check_engine(engine, baseline, candidates)
    _check_parameters(engine, parameters or {})
    if engine == engines.LOCAL:
        _check_tools(baseline.base or baseline, prompt_set)
    findings = leakage.new_findings(prompt_set, [baseline, *candidates])
    prompt_set = _decided(user, prompt_set, findings, leakage_reason, leave_out=leave_out_leaked)
    frozen = {
        "name": name,
        "prompt_set": prompt_set,
        "baseline": baseline,
        "engine": engine,
        "decoding": decoding.model_dump(),
        "parameters": dict(parameters or {}),
    }
    try:
        return _create(user, candidates, idempotency_key, frozen)
    except IntegrityError:
        same = jobs.launched_before(
            Comparison,
            user=user,
            idempotency_key=idempotency_key,
            candidates=list(candidates),
            **frozen,
        )
        if same is None:
            raise
        return same


@transaction.atomic
def _create(
    user: User, candidates: Sequence[ModelVersion], idempotency_key: str | None, frozen: dict[str, Any]
) -> Comparison:
    comparison = Comparison.objects.create(
        kind=Job.Kind.GENERATION,
        queue=queues.GPU if frozen["engine"] == engines.LOCAL else queues.ENDPOINT,
        idempotency_key=idempotency_key or None,
        created_by=user,
        **frozen,
    )
    ComparisonCandidate.objects.bulk_create(
        ComparisonCandidate(comparison=comparison, model=model, position=position)
        for position, model in enumerate(candidates)
    )
    audit.record(actor=user, action="comparison.launch", target=comparison)
    jobs.announce(comparison)
    return comparison


def _decided(
    user: User,
    prompt_set: PromptSet,
    findings: Sequence[tuple[Dataset, leakage.Finding]],
    reason: str,
    *,
    leave_out: bool,
) -> PromptSet:
    """The prompt set to use. Raises DomainError `leakage` for prompts that are neither left out nor have a reason."""
    leaked = {key for _, finding in findings for key in finding.keys}
    if leaked and leave_out:
        datasets = [dataset for dataset, _ in findings]
        return prompts.without(user=user, prompt_set=prompt_set, keys=leaked, datasets=datasets)
    for dataset, finding in findings:
        with transaction.atomic():
            leakage.store(user=user, prompt_set=prompt_set, dataset=dataset, finding=finding, reason=reason)
    return prompt_set


def _check_engine(engine: str, baseline: ModelVersion, candidates: Sequence[ModelVersion]) -> None:
    if engine == engines.LOCAL:
        check_local(baseline, candidates)
    elif engine not in engines.configured():
        known = ", ".join([engines.LOCAL, *engines.configured()])
        raise DomainError(
            "unknown_engine", f"There is no engine {engine}; choose one of {known}.", status=400
        )


def _check_tools(base: ModelVersion, prompt_set: PromptSet) -> None:
    """Raise DomainError naming the first prompt with tools, if the base was registered as unable to render them."""
    if base.details.get("template", {}).get("tools", True):
        return
    prompts = prompt_set.prompts.exclude(messages=[]).values_list("key", "messages", "tools")
    for key, messages, tools in prompts.iterator(chunk_size=2000):
        if tools or any(turn["role"] == "tool" or "tool_calls" in turn for turn in messages):
            raise DomainError(
                "tools_unsupported",
                f"Prompt {key} uses tools, which the chat template of {base} does not support. Choose models that "
                "were trained with tools, or prompts without them.",
            )


def _check_parameters(engine: str, parameters: Mapping[str, str]) -> None:
    if not parameters:
        return
    if engine == engines.LOCAL:
        message = "Request parameters are for endpoints; leave them empty for the workers of this site."
        raise _bad_parameters(message)
    try:
        engines.check_parameters({**engines.configured()[engine].parameters, **parameters})
    except ValueError as error:
        raise _bad_parameters(f"Request parameters: {error}.") from error


def _bad_parameters(message: str) -> DomainError:
    problems = [{"field": "parameters", "message": message}]
    return DomainError("parameters", message, status=400, problems=problems)


def _baseline(baseline: ModelVersion | None, candidates: Sequence[ModelVersion]) -> ModelVersion:
    if not candidates:
        raise DomainError("no_candidate", "Choose at least one candidate to compare.", status=400)
    if len(candidates) > MAX_CANDIDATES:
        raise DomainError(
            "too_many_candidates", f"One run compares at most {MAX_CANDIDATES} candidates.", status=400
        )
    chosen = baseline or candidates[0].base
    if chosen is None:
        raise DomainError(
            "no_baseline",
            f"{candidates[0]} is no adapter, so its baseline is not known; choose one.",
            status=400,
        )
    return chosen


def _check_distinct(models: list[ModelVersion]) -> None:
    for number, model in enumerate(models):
        if model in models[:number]:
            raise DomainError("same_model", f"{model} is chosen twice; every model answers once.", status=400)


def check_local(baseline: ModelVersion, candidates: Sequence[ModelVersion]) -> None:
    """Raise DomainError unless all models share a base model, so that all receive the same tokens.

    Adapters are switched on a single loaded base; a merged model is loaded beside it.
    """
    models = [baseline, *candidates]
    for model in models:
        if model.kind == ModelVersion.Kind.EXTERNAL:
            raise DomainError(
                "not_local",
                f"{model} is known by its name alone; no worker can load it. Choose the endpoint that serves it.",
                status=400,
            )
    base = baseline.base or baseline
    for model in candidates:
        if (model.base or model) != base:
            raise DomainError(
                "adapter_other_base",
                f"{model} is based on {model.base or model}, but the baseline {baseline} is based on {base}; "
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


def try_again(*, user: User, comparison: Comparison) -> None:
    """Queue a failed comparison again. Stored responses are kept; only missing ones are generated.

    Raises DomainError `not_failed`, or `imported` for a failed import, whose responses no worker can generate.
    """
    if ComparisonAction.TRY_AGAIN not in comparison.actions:
        if comparison.is_imported:
            raise DomainError("imported", "The responses were made elsewhere. Import the file again instead.")
        raise DomainError("not_failed", "Only a failed comparison can be retried.")
    jobs.try_again(job=comparison, user=user)


def leave_out_missing(*, user: User, comparison: Comparison) -> None:
    """Queue an incomplete comparison again, to compare only the prompts that every model answered.

    The prompts that were left out are recorded in the comparison. Raises DomainError `not_incomplete`.
    """
    if ComparisonAction.LEAVE_OUT_MISSING not in comparison.actions:
        raise DomainError(
            "not_incomplete",
            "Only a comparison that failed because responses are missing can continue without them.",
        )
    with transaction.atomic():
        jobs.try_again(job=comparison, user=user)
        Comparison.objects.filter(pk=comparison.pk).update(without_missing=True)
        audit.record(actor=user, action="comparison.leave_out_missing", target=comparison)
