"""Objects for tests, created through the services where one exists."""

import io
import itertools
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from evaluation.comparison.services import comparisons, pair_imports, responses
from evaluation.models import Assignment, Campaign, Comparison, Prompt, PromptSet, Reviewer
from evaluation.review.services import assignments, campaigns, invitations, ratings
from ftplatform.accounts.models import User
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from training.config import DecodingConfig, TrainingConfig
from training.intake.services import datasets
from training.models import Dataset, ModelVersion, TrainingRun

_numbers = itertools.count(1)


def user(role: str = "admin", **fields: Any) -> User:
    number = next(_numbers)
    return User.objects.create_user(
        f"{role}{number}@example.org", None, role=role, name=f"{role} {number}", **fields
    )


def row(**changes: Any) -> dict[str, Any]:
    """A row of a dataset. Its prompt depends on its id, because rows with the same prompt always share a split."""
    return {
        "id": "a",
        "instruction": "Decide.",
        "input": {"question": f"May I, {changes.get('id', 'a')}?"},
        "output": {"decision": "Yes"},
    } | changes


def jsonl(*rows: Any) -> io.BytesIO:
    """Rows as a file; a row given as bytes is written unchanged."""
    lines = [item if isinstance(item, bytes) else json.dumps(item).encode() for item in rows]
    return io.BytesIO(b"\n".join(lines) + b"\n")


def dataset(owner: User, rows: int = 20, name: str = "cases") -> Dataset:
    content = jsonl(
        *(row(id=f"r{number}", input={"question": f"{name} {number}?"}) for number in range(rows))
    )
    return datasets.create(user=owner, name=name, file=content, source_name="cases.jsonl")


def base_model(owner: User, **fields: Any) -> ModelVersion:
    """A base model as a database row only: its files are never loaded."""
    values = {"name": f"base-{next(_numbers)}", "kind": "base", "path": "/nowhere", "weights_hash": "0" * 64}
    return ModelVersion.objects.create(created_by=owner, **values | fields)


def adapter(owner: User, **fields: Any) -> ModelVersion:
    values = {
        "name": f"adapter-{next(_numbers)}",
        "kind": "adapter",
        "path": "/nowhere",
        "weights_hash": "1" * 64,
    }
    base = fields.pop("base", None) or base_model(owner)
    return ModelVersion.objects.create(created_by=owner, base=base, **values | fields)


def external_model(owner: User, **fields: Any) -> ModelVersion:
    """An external system, known by name only: served by an endpoint, or its pairs are imported."""
    values = {"name": f"external-{next(_numbers)}", "kind": "external"}
    return ModelVersion.objects.create(created_by=owner, **values | fields)


def training_run(owner: User, **fields: Any) -> TrainingRun:
    values: dict[str, Any] = {
        "kind": Job.Kind.TRAINING,
        "name": "run",
        "dataset": Dataset.objects.first() or dataset(owner),
        "base_model": base_model(owner),
        "config": TrainingConfig().model_dump(),
        "created_by": owner,
    }
    return TrainingRun.objects.create(**values | fields)


TOOLS = [{"type": "function", "function": {"name": "find_order", "parameters": {"type": "object"}}}]


def messages(number: int = 0) -> list[dict[str, Any]]:
    """Six turns before the response, with a system turn and a tool call; `number` makes them differ."""
    call = {"id": "1", "type": "function", "function": {"name": "find_order", "arguments": '{"number": 7}'}}
    return [
        {"role": "system", "content": "You are kind."},
        {"role": "user", "content": "Hello!"},
        {"role": "assistant", "content": "How can I help?"},
        {"role": "user", "content": f"Where is order {number}?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "name": "find_order", "tool_call_id": "1", "content": "It leaves tomorrow."},
    ]


def with_turns(prompts: PromptSet) -> PromptSet:
    """The same prompts as conversations of six turns with a tool."""
    for number, prompt in enumerate(prompts.prompts.all()):
        prompt.instruction, prompt.input = "", ""
        prompt.messages, prompt.tools = messages(number), TOOLS
        prompt.save()
    return prompts


def prompt_set(owner: User, size: int = 4) -> PromptSet:
    made = PromptSet.objects.create(name=f"prompts-{next(_numbers)}", size=size, created_by=owner)
    Prompt.objects.bulk_create(
        Prompt(
            prompt_set=made,
            key=f"p{number}",
            instruction="Decide.",
            input={"question": f"May I, {number}?"},
            expected={"decision": "Yes", "urgent": False},
        )
        for number in range(size)
    )
    return made


def response(run: Comparison, prompt: Prompt, model: ModelVersion, **changes: Any) -> dict[str, Any]:
    """A response as a worker reports it; candidates give the expected decision, the baseline does not."""
    decision = "No" if model == run.baseline else "Yes"
    return {
        "prompt_id": prompt.pk,
        "model": str(model.pk),
        "sample": 0,
        "text": json.dumps({"decision": decision, "urgent": False}),
        "input_tokens": 40,
        "output_tokens": 12,
        "batch_latency_ms": 120.0,
        "batch_size": 2,
        "finish_reason": "stop",
    } | changes


def comparison(
    owner: User,
    prompts: int = 4,
    *,
    finished: bool = True,
    candidates: int = 1,
    samples: int = 1,
    models: Sequence[ModelVersion] = (),
    **launch: Any,
) -> Comparison:
    """A comparison of `models`, or of a number of adapters. If finished, its responses are stored batch by batch as a
    worker would. `launch` is passed to the service."""
    if not models:
        first = adapter(owner)
        models = [first, *(adapter(owner, base=first.base) for _ in range(candidates - 1))]
    run = comparisons.launch(
        user=owner,
        name="comparison",
        prompt_set=prompt_set(owner, prompts),
        candidates=models,
        decoding=DecodingConfig(samples=samples),
        **launch,
    )
    if finished:
        claim = jobs.claim_next(queue=run.queue, worker="test")
        assert claim is not None and claim.job_id == run.pk
        for prompt in run.prompt_set.prompts.all():
            for model in run.model_versions:
                answers = [response(run, prompt, model, sample=sample) for sample in range(samples)]
                responses.record_responses(claim, answers)
        responses.complete(claim, {"device": "cpu"})
        jobs.finish(claim, Job.Status.SUCCEEDED)
        run.refresh_from_db()
    return run


def imported_run(owner: User, pairs: int = 4) -> Comparison:
    """A comparison of two external systems, whose responses were imported from a file."""
    rows = [
        {
            "id": f"p{number}",
            "prompt": "Answer.",
            "input": {"n": number},
            "baseline": "No",
            "candidate": "Yes",
        }
        for number in range(pairs)
    ]
    return pair_imports.create(
        user=owner,
        name=f"import-{next(_numbers)}",
        file=jsonl(*rows),
        source_name="pairs.jsonl",
        baseline="system A",
        candidate="system B",
    )


RUBRIC = """## How to rate

{type: instructions}

Say which reply you would rather send; if both would do, choose "tie".

## Your rating

{type: form}

### Politeness

**Empathy**
{type: scale, per: side, key: empathy, help: "Does it acknowledge how the customer feels?"}

### Response quality

**Helpfulness**
{type: scale, per: side, key: helpfulness}

### Politeness

**Professionalism**
{type: scale, per: side, key: professionalism}
"""


def campaign(owner: User, pairs: int = 4, overlap: int = 3, **options: Any) -> Campaign:
    """An open campaign, on new pairs unless a `comparison` is given."""
    values: dict[str, Any] = {"title": "Replies", "rubric_text": RUBRIC, "overlap": overlap, "pairs": pairs}
    values["comparison"] = options.pop("comparison", None) or comparison(owner, pairs)
    made = campaigns.create(user=owner, **values | options)
    campaigns.open_campaign(campaign=made, user=owner)
    made.refresh_from_db()
    return made


def reviewer(of: Campaign, **options: Any) -> Reviewer:
    return invitations.join(code=of.invites.earliest("id").code, **options)[0]


def answers(of: Campaign, left: int = 7, right: int = 5) -> dict[str, Any]:
    """A valid rating of the built-in rubric."""
    scales = [field for field in of.rubric["fields"] if field["kind"] == "scale"]
    return {
        "preference": "left",
        "scores": {field["key"]: {"left": left, "right": right} for field in scales},
        "answers": {},
        "comment": "",
        "active_ms": 20_000,
    }


def answer(of: Campaign, **changes: Any) -> ratings.Answer:
    """The same rating, as the type that the service accepts."""
    return ratings.Answer(**answers(of) | changes)


def lease(of: Reviewer) -> Assignment:
    """The pair now assigned to the reviewer; there must be one."""
    current = assignments.next_for(reviewer=of)
    assert current is not None
    return current


def rated_campaign(
    pairs: int = 12, reviewers: int = 6, overlap: int = 3, seed: int = 3, **options: Any
) -> Campaign:
    """A campaign whose reviewers usually, but not always, prefer the candidate."""
    made = campaign(user(), pairs=pairs, overlap=overlap, **options)
    rate(made, reviewers, seed=seed)
    return made


def rate(of: Campaign, reviewers: int, *, seed: int = 3, most: int | None = None, **changes: Any) -> None:
    """Rate all pairs of a campaign, or the first `most`, with `reviewers` new reviewers. `changes` apply to every
    rating."""
    generator = np.random.default_rng(seed)
    panel, done = [reviewer(of) for _ in range(reviewers)], 0
    form = answers(of)
    asked = [f["key"] for f in of.rubric["fields"] if f["kind"] == "yes_no" and f["per"] == "side"]
    open_to = set(range(reviewers))
    while open_to:
        for number in sorted(open_to):
            current = None if done == most else assignments.next_for(reviewer=panel[number])
            if current is None:
                open_to.discard(number)
                continue
            side, other = ("left", "right") if current.candidate_left else ("right", "left")
            preference = generator.choice([side, other, "tie", "both_bad"], p=[0.5, 0.25, 0.15, 0.1])
            values = form | {
                "preference": str(preference),
                "scores": {
                    key: {side: int(generator.integers(4, 11)), other: int(generator.integers(2, 9))}
                    for key in form["scores"]
                },
                "answers": {
                    key: {side: bool(generator.random() < 0.8), other: bool(generator.random() < 0.4)}
                    for key in asked
                },
                "comment": "=1+1",
            }
            answer = ratings.Answer(**values | changes)
            ratings.submit(reviewer=panel[number], token=current.token, answer=answer)
            done += 1
