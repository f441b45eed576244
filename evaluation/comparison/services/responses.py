"""The work of one attempt of a comparison, and the results it stores."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q

from evaluation.comparison.services import figures
from evaluation.models import Comparison, Failure, Pair, Prompt, Response, Timing
from evaluation.models.comparison_actions import INCOMPLETE
from evaluation.scoring import Scorer
from evaluation.scoring.matching import printable
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs

MAX_TEXT = 4_000_000
_BATCH = 1000
# Maximum number of left-out prompts to list; the count covers all.
_NAMED = 100


@transaction.atomic
def begin_attempt(claim: jobs.Claim) -> Comparison:
    jobs.check_current(claim)
    return Comparison.objects.select_related("prompt_set", "baseline__base").get(pk=claim.job_id)


def expected(comparison: Comparison) -> int:
    """The number of responses that the whole comparison needs."""
    return comparison.prompt_set.size * len(comparison.model_versions) * comparison.samples


def remaining(comparison: Comparison) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The remaining work: prompts with their missing responses as [model id, sample], and missing measurements.

    A prompt that only needs measuring is listed too, with no missing responses. Nothing remains once a user has
    chosen to continue without the missing responses.
    """
    if comparison.without_missing:
        return [], []
    measurements = _open_measurements(comparison)
    measured = {each["prompt_id"] for each in measurements}
    expected_keys = [
        (str(model.pk), sample) for model in comparison.model_versions for sample in range(comparison.samples)
    ]
    done: dict[int, set[tuple[str, int]]] = {}
    for prompt_id, model_id, sample in comparison.responses.values_list("prompt_id", "model_id", "sample"):
        done.setdefault(prompt_id, set()).add((str(model_id), sample))
    prompts = []
    for prompt in comparison.prompt_set.prompts.iterator(chunk_size=_BATCH):
        wanted = [each for each in expected_keys if each not in done.get(prompt.pk, ())]
        if wanted or prompt.pk in measured:
            prompts.append(
                {
                    "prompt_id": prompt.pk,
                    "key": prompt.key,
                    "instruction": prompt.instruction,
                    "input": prompt.input,
                    "messages": prompt.messages or None,
                    "tools": prompt.tools or None,
                    "wanted": wanted,
                }
            )
    return prompts, measurements


def _open_measurements(comparison: Comparison) -> list[dict[str, Any]]:
    taken = {
        (prompt, str(model)) for prompt, model in comparison.timings.values_list("prompt_id", "model_id")
    }
    return [each for each in measurements(comparison) if (each["prompt_id"], each["model"]) not in taken]


def measurements(comparison: Comparison) -> list[dict[str, Any]]:
    """The prompts to measure one at a time, and the order of models for each; the same for every attempt.

    Prompts are drawn at random. The order of models is random for one prompt and reversed for the next, so that no
    model comes first more often.
    """
    rng = random.Random(f"latency {comparison.decoding['seed']} {comparison.pk}")
    prompts = list(comparison.prompt_set.prompts.order_by("pk").values_list("pk", flat=True))
    chosen = rng.sample(prompts, min(len(prompts), comparison.decoding.get("latency_prompts", 0)))
    order = [str(model.pk) for model in comparison.model_versions]
    planned: list[dict[str, Any]] = []
    for number, prompt in enumerate(chosen):
        if number % 2:
            order.reverse()
        else:
            rng.shuffle(order)
        planned += [
            {"prompt_id": prompt, "model": model, "place": len(planned) + turn}
            for turn, model in enumerate(order)
        ]
    return planned


@transaction.atomic
def record_responses(claim: jobs.Claim, responses: list[dict[str, Any]]) -> None:
    """Store one batch. A response that is already stored is kept, and its earlier failure is deleted.

    Raises DomainError `unknown_prompt`, `unknown_model` or `response_too_long`; then nothing is stored.
    """
    comparison, prompts = _known(claim, responses)
    scorer = figures.scorer_of(comparison.prompt_set)
    Response.objects.bulk_create(
        [_response(comparison, scorer, prompts[values["prompt_id"]], values) for values in responses],
        ignore_conflicts=True,
        batch_size=_BATCH,
    )
    if comparison.failures.exists():
        for chunk in _chunks(responses):
            mended = Q()
            for each in chunk:
                mended |= Q(prompt=each["prompt_id"], model=each["model"], sample=each["sample"])
            comparison.failures.filter(mended).delete()


def _chunks(items: list[dict[str, Any]], size: int = 50) -> Iterable[list[dict[str, Any]]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _response(comparison: Comparison, scorer: Scorer, prompt: Prompt, values: dict[str, Any]) -> Response:
    text = printable(values["text"])
    if len(text) > MAX_TEXT:
        raise DomainError(
            "response_too_long",
            f"The response to prompt {prompt.key} has {len(text):,} characters, more than {MAX_TEXT:,}; "
            "lower the longest response.",
        )
    match, measures = figures.scored(scorer, prompt, text)
    own = {name: value for name, value in values.items() if name not in ("model", "text")}
    return Response(
        comparison=comparison, model_id=values["model"], text=text, match=match, measures=measures, **own
    )


@transaction.atomic
def record_timings(claim: jobs.Claim, timings: list[dict[str, Any]]) -> None:
    """Store single-stream measurements. A measurement that is already stored is kept."""
    comparison, _ = _known(claim, timings)
    Timing.objects.bulk_create(
        [
            Timing(
                comparison=comparison,
                model_id=values["model"],
                **{k: v for k, v in values.items() if k != "model"},
            )
            for values in timings
        ],
        ignore_conflicts=True,
    )


@transaction.atomic
def record_failures(claim: jobs.Claim, failures: list[dict[str, Any]]) -> None:
    """Store why responses failed. The latest reason replaces an earlier one."""
    comparison, _ = _known(claim, failures)
    Failure.objects.bulk_create(
        [
            Failure(
                comparison=comparison,
                model_id=values["model"],
                **{k: v for k, v in values.items() if k != "model"},
            )
            for values in failures
        ],
        update_conflicts=True,
        unique_fields=["comparison", "prompt", "model", "sample"],
        update_fields=["code", "message", "at"],
    )


def _known(claim: jobs.Claim, items: list[dict[str, Any]]) -> tuple[Comparison, dict[int, Prompt]]:
    """The comparison and the prompts that a worker refers to. Anything outside this comparison is rejected."""
    jobs.check_current(claim)
    comparison = Comparison.objects.select_related("prompt_set", "baseline").get(pk=claim.job_id)
    prompts = Prompt.objects.filter(prompt_set=comparison.prompt_set_id).in_bulk(
        {item["prompt_id"] for item in items}
    )
    models = {str(model.pk) for model in comparison.model_versions}
    for item in items:
        if item["prompt_id"] not in prompts:
            raise DomainError(
                "unknown_prompt",
                f"The worker answered prompt {item['prompt_id']}, which this run never asked; the batch was refused.",
            )
        if item["model"] not in models:
            raise DomainError(
                "unknown_model",
                f"The worker answered as model {item['model']}, which this run does not compare; "
                "the batch was refused.",
            )
    return comparison, prompts


@transaction.atomic
def record_facts(claim: jobs.Claim, facts: dict[str, Any]) -> None:
    """Store the conditions of an attempt before it starts; `devices` keeps those of all attempts."""
    jobs.check_current(claim)
    comparison = Comparison.objects.get(pk=claim.job_id)
    devices = list(
        dict.fromkeys([*comparison.facts.get("devices", []), facts.get("device_name") or comparison.engine])
    )
    Comparison.objects.filter(pk=comparison.pk).update(facts=comparison.facts | facts | {"devices": devices})


@transaction.atomic
def complete(claim: jobs.Claim, facts: dict[str, Any]) -> int:
    """Create the pairs of all candidates once each model has answered everything; returns their number.

    Raises DomainError `incomplete` with the first named failure while responses are missing. If a user has chosen to
    continue without them, pairs are created for the prompts that every model answered in full, and `left_out` in the
    facts lists the others. Raises `nothing_answered` if there are no such prompts.
    """
    jobs.check_current(claim)
    comparison = Comparison.objects.select_related("prompt_set", "baseline").get(pk=claim.job_id)
    responses = {
        (prompt_id, model_id, sample): pk
        for pk, prompt_id, model_id, sample in comparison.responses.values_list(
            "pk", "prompt_id", "model_id", "sample"
        )
    }
    missing = expected(comparison) - len(responses)
    if missing and not comparison.without_missing:
        raise DomainError(INCOMPLETE, _incomplete(comparison, missing))
    answers = Counter(prompt_id for prompt_id, _, _ in responses)
    complete_prompts = {
        prompt
        for prompt, count in answers.items()
        if count == len(comparison.model_versions) * comparison.samples
    }
    if not complete_prompts:
        raise DomainError(
            "nothing_answered", "No prompt was answered by every model. Retry the missing responses."
        )
    facts = facts | {"left_out": _left_out(comparison, complete_prompts, responses) if missing else None}
    baseline = [key for key in responses if key[1] == comparison.baseline_id and key[0] in complete_prompts]
    pairs = [
        Pair(
            comparison=comparison,
            prompt_id=prompt_id,
            sample=sample,
            candidate_model=candidate,
            baseline_response_id=responses[prompt_id, comparison.baseline_id, sample],
            candidate_response_id=responses[prompt_id, candidate.pk, sample],
        )
        for candidate in comparison.candidates
        for prompt_id, _, sample in sorted(baseline, key=lambda key: (key[0], key[2]))
    ]
    Pair.objects.bulk_create(pairs, ignore_conflicts=True, batch_size=_BATCH)
    Comparison.objects.filter(pk=comparison.pk).update(facts=comparison.facts | facts)
    figures.summarise(comparison)
    return len(pairs)


def _left_out(
    comparison: Comparison, complete_prompts: set[int], responses: Mapping[tuple[int, Any, int], int]
) -> dict[str, Any]:
    """The prompts that are not compared, and the number of missing responses of each model."""
    keys = [
        key
        for prompt, key in comparison.prompt_set.prompts.values_list("pk", "key").iterator()
        if prompt not in complete_prompts
    ]
    answered = Counter(model for _, model, _ in responses)
    owed = comparison.prompt_set.size * comparison.samples
    return {
        "prompts": len(keys),
        "of": comparison.prompt_set.size,
        "first": keys[:_NAMED],
        "unanswered": {model.name: owed - answered[model.pk] for model in comparison.model_versions},
    }


def _incomplete(comparison: Comparison, missing: int) -> str:
    first = comparison.failures.select_related("prompt", "model").first()
    if first is None:
        return f"{missing:,} responses are still missing. Retry them."
    return (
        f"{missing:,} responses are still missing; the first is {first.model} on prompt {first.prompt.key}: "
        f"{first.message} Everything else is stored. Retry the missing responses."
    )
