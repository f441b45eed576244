"""Generation runs: launch, store responses batch by batch, make pairs when both sides are complete."""

from dataclasses import asdict
from typing import Any

from django.db import IntegrityError, transaction

from evaluation.matching import match, printable
from evaluation.models import GenerationRun, Pair, Prompt, PromptSet, Response
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from training.config import DecodingConfig
from training.models import ModelVersion


def launch(
    *,
    user: User,
    name: str,
    prompt_set: PromptSet,
    candidate: ModelVersion,
    decoding: DecodingConfig,
    idempotency_key: str | None = None,
) -> GenerationRun:
    """Queue the generation of both sides of every pair: `candidate` is an adapter, its base is the baseline."""
    if candidate.base is None:
        raise DomainError(
            "not_an_adapter", f"{candidate} is a base model; choose an adapter to compare with it."
        )
    frozen = {
        "name": name,
        "prompt_set": prompt_set,
        "baseline": candidate.base,
        "candidate": candidate,
        "decoding": decoding.model_dump(),
    }
    try:
        with transaction.atomic():
            run = GenerationRun.objects.create(
                kind=Job.Kind.GENERATION, idempotency_key=idempotency_key or None, created_by=user, **frozen
            )
            audit.record(actor=user, action="generation_run.launch", target=run)
            jobs.announce(run)
            return run
    except IntegrityError:
        same = jobs.launched_before(GenerationRun, user=user, idempotency_key=idempotency_key, **frozen)
        if same is None:
            raise
        return same


@transaction.atomic
def begin_attempt(claim: jobs.Claim) -> GenerationRun:
    jobs.check_current(claim)
    return GenerationRun.objects.select_related("prompt_set", "baseline", "candidate").get(pk=claim.job_id)


def remaining(run: GenerationRun) -> list[dict[str, Any]]:
    """Prompts with the roles still without a response: what an interrupted run has yet to do."""
    done: dict[int, set[str]] = {}
    for prompt_id, role in run.responses.values_list("prompt_id", "role"):
        done.setdefault(prompt_id, set()).add(role)
    return [
        {"prompt_id": prompt.pk, "instruction": prompt.instruction, "input": prompt.input, "roles": roles}
        for prompt in run.prompt_set.prompts.all()
        if (roles := [role for role in Response.Role.values if role not in done.get(prompt.pk, ())])
    ]


@transaction.atomic
def record_responses(claim: jobs.Claim, responses: list[dict[str, Any]]) -> None:
    """Store one batch; a response that is already there stays as it was."""
    jobs.check_current(claim)
    prompts = Prompt.objects.in_bulk({response["prompt_id"] for response in responses})
    Response.objects.bulk_create(
        [_response(claim, prompts[response["prompt_id"]], response) for response in responses],
        ignore_conflicts=True,
    )


def _response(claim: jobs.Claim, prompt: Prompt, values: dict[str, Any]) -> Response:
    text = printable(values["text"])
    found = None if prompt.expected is None else asdict(match(prompt.expected, text))
    return Response(run_id=claim.job_id, match=found, **values | {"text": text})


@transaction.atomic
def complete(claim: jobs.Claim, facts: dict[str, Any]) -> int:
    """Make the pairs once every prompt has both responses; returns their number."""
    jobs.check_current(claim)
    run = GenerationRun.objects.get(pk=claim.job_id)
    sides: dict[int, dict[str, int]] = {}
    for pk, prompt_id, role in run.responses.values_list("pk", "prompt_id", "role"):
        sides.setdefault(prompt_id, {})[role] = pk
    missing = run.prompt_set.size - sum(len(roles) == 2 for roles in sides.values())
    if missing:
        raise DomainError("incomplete", f"{missing:,} prompts still lack a response.")
    Pair.objects.bulk_create(
        [
            Pair(run=run, prompt_id=prompt_id, baseline_id=roles["baseline"], candidate_id=roles["candidate"])
            for prompt_id, roles in sorted(sides.items())
        ],
        ignore_conflicts=True,
    )
    GenerationRun.objects.filter(pk=run.pk).update(facts=facts)
    return len(sides)
