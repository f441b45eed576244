"""Reads of comparisons: the stored figures, pairs by what changed, one pair in full. Access is the selectors'."""

import json
from datetime import UTC, datetime
from typing import Any

from django.db.models import F, Q, QuerySet
from django.http import Http404

from evaluation.comparison import document as present
from evaluation.comparison.selectors import responses
from evaluation.models import (
    Comparison,
    ComparisonFigures,
    FieldChange,
    LeakageCheck,
    Pair,
    PromptTag,
    Response,
)
from evaluation.scoring import Scorer
from evaluation.scoring.matching import printable
from evaluation.scoring.matching.difference import differences
from evaluation.scoring.matching.match import Match
from evaluation.scoring.stream import TimingRow, stream_figures
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from training.models import ModelVersion, TrainingRun
from training.runs.selectors.comparing import run_summary

CHANGES = {"worse": Q(score_change__lt=0), "better": Q(score_change__gt=0), "same": Q(score_change=0)}
SIDES = ("baseline", "candidate")
# What a page shows of one response; the exports have all of it.
LONGEST_SHOWN = 40_000


def comparison(run: Comparison, candidate: ModelVersion | None = None) -> dict[str, Any] | None:
    """The whole comparison of the baseline and one candidate (the first unless told) as JSON: what the page, the API
    and every export show. None before there are pairs."""
    chosen = candidate or run.candidate
    stored = ComparisonFigures.objects.filter(run=run, candidate=chosen).first()
    if stored is None or not stored.figures:
        return None
    figures = stored.figures
    stream = stream_figures(_timings(run, chosen))
    document = {
        **figures,
        "metrics": figures["metrics"] + stream,
        **provenance(run, chosen),
        "made_at": stored.made_at.astimezone(UTC).isoformat(timespec="seconds"),
        "latency": latency_basis(run, bool(stream)),
        "safety": safety(run, chosen),
    }
    document["headline"] = present.headline(document)
    document["latency_trap"] = present.latency_trap(document)
    return document


def open_comparison(*, user: User, run: Comparison, candidate: ModelVersion) -> dict[str, Any]:
    """The comparison for somebody who asks for it: closed to whoever reviews its pairs blind, 404 before there is
    one."""
    responses.pairs(user=user, run=run, candidate=candidate)
    found = comparison(run, candidate)
    if found is None:
        raise Http404
    return found


def provenance(run: Comparison, candidate: ModelVersion) -> dict[str, Any]:
    """Who was compared, on what, made how, and what is known against it."""
    return {
        "comparison": {"id": str(run.pk), "name": run.name, "imported": is_imported(run)},
        "baseline_model": _model(run.baseline),
        "candidate_model": _model(candidate),
        "prompt_set": {
            "id": str(run.prompt_set_id),
            "name": run.prompt_set.name,
            "size": run.prompt_set.size,
            "source": run.prompt_set.source,
            "check": run.prompt_set.check_name,
        },
        "decoding": run.decoding,
        "engine": run.engine,
        "facts": run.facts,
        "leakage": leakage(run),
        "left_out": run.facts.get("left_out"),
        "training": _training(candidate.run) if candidate.run_id else None,
    }


def is_imported(run: Comparison) -> bool:
    return run.engine == Comparison.IMPORT


def leakage(run: Comparison) -> list[dict[str, Any]]:
    """Findings about prompts that a training split holds, with the reason why they are used all the same."""
    checks = LeakageCheck.objects.filter(prompt_set=run.prompt_set_id).select_related("dataset")
    return [
        {
            "dataset": str(check.dataset),
            "exact": check.exact,
            "near": check.near,
            "reason": check.reason,
            "examples": check.examples,
        }
        for check in checks
    ]


def latency_basis(run: Comparison, measured: bool) -> dict[str, str]:
    """What the times mean: of what kind the best are, and a sentence about those stored with the responses."""
    if is_imported(run):
        return {
            "kind": "imported",
            "note": "as the imported file says; how it was measured is not known here",
        }
    size = run.decoding.get("batch_size")
    note = f"inside batches of {size}, beside other prompts: throughput, nothing that a user waits for"
    return {"kind": "single_stream" if measured else "batched", "note": note}


def safety(run: Comparison, candidate: ModelVersion) -> list[dict[str, Any]]:
    """The newest result of each safety check of this baseline and candidate."""
    done = (
        ComparisonFigures.objects.filter(run__baseline=run.baseline_id, candidate=candidate)
        .exclude(run__prompt_set__check_name="")
        .select_related("run__prompt_set")
        .order_by("run__prompt_set__check_name", "-made_at")
    )
    newest: dict[str, dict[str, Any]] = {}
    for each in done:
        name = each.run.prompt_set.check_name
        figure = next((m for m in each.figures.get("metrics", ()) if m["name"] == "passed"), None)
        if name not in newest and figure:
            newest[name] = {"check": name, "run": str(each.run_id), **figure}
    return list(newest.values())


def pairs(
    *,
    user: User,
    run: Comparison,
    candidate: ModelVersion,
    change: str = "",
    field: str = "",
    tag: str = "",
    order: str = "",
) -> QuerySet[Pair]:
    """Pairs by what changed: `change` is worse, better or same; with `field`, of that field; `tag` is name:value.

    Raises DomainError `unknown_filter`. Texts are not loaded.
    """
    found = responses.pairs(user=user, run=run, candidate=candidate).defer(
        "prompt__instruction", "prompt__input", "prompt__expected", "baseline__text", "candidate__text"
    )
    if change and change not in CHANGES:
        raise DomainError("unknown_filter", f"change is one of {', '.join(CHANGES)}.", status=400)
    if field:
        if change == "same":
            raise DomainError("unknown_filter", "Of a field, change is worse or better.", status=400)
        rows = FieldChange.objects.filter(comparison__run=run, comparison__candidate=candidate, field=field)
        found = found.filter(pk__in=rows.filter(change=1 if change == "better" else -1).values("pair"))
    elif change:
        found = found.filter(CHANGES[change])
    if tag:
        name, sign, value = tag.partition(":")
        if not sign:
            raise DomainError("unknown_filter", "A tag is given as name:value.", status=400)
        tagged = PromptTag.objects.filter(prompt_set=run.prompt_set_id, name=name[:200], value=value)
        found = found.filter(prompt__in=tagged.values("prompt"))
    return found.order_by(F("score_change").asc(nulls_last=True), "pk") if order == "worst" else found


def pair_document(*, run: Comparison, pair: Pair) -> dict[str, Any]:
    """One prompt with both responses in full, matched by the set's comparisons as they are now."""
    scorer = Scorer(run.prompt_set.field_rules, run.prompt_set.schema, run.prompt_set.check_name)
    prompt = pair.prompt
    matches = {
        side: None if prompt.expected is None else scorer.match(prompt.expected, getattr(pair, side).text)
        for side in SIDES
    }
    document = {
        "schema_version": 1,
        **provenance(run, pair.candidate_model),
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "prompt": {
            "key": prompt.key,
            "instruction": prompt.instruction,
            "input": prompt.input,
            "input_keys": list(prompt.input) if isinstance(prompt.input, dict) else [],
            "expected": prompt.expected,
            "tags": prompt.tags,
        },
        "sample": pair.sample,
        "fields": _fields(matches),
    }
    timed = stream_figures(_timings(run, pair.candidate_model, prompt=prompt.pk))
    for side in SIDES:
        response: Response = getattr(pair, side)
        document[side] = _side(response, matches[side], scorer.schema_valid(response.text))
    document["stream"] = {
        figure["name"]: {"baseline": figure["baseline"], "candidate": figure["candidate"]} for figure in timed
    }
    document["latency"] = latency_basis(run, bool(timed))
    document["times"] = present.times(document)
    document["latency_trap"] = present.single_latency_trap(document)
    cleaned: dict[str, Any] = _printable(document)
    return cleaned


def marked(baseline: str, candidate: str) -> dict[str, Any]:
    """Both texts in pieces for the page, what differs marked alike; long ones are cut, and that is said."""
    texts = [_readable(text) for text in (baseline, candidate)]
    first, second = differences(*(text[:LONGEST_SHOWN] for text in texts))
    return {
        "baseline": {"pieces": first, "cut": len(texts[0]) > LONGEST_SHOWN},
        "candidate": {"pieces": second, "cut": len(texts[1]) > LONGEST_SHOWN},
    }


def _side(response: Response, match: Match | None, schema_valid: bool | None) -> dict[str, Any]:
    latency, tokens = response.batch_latency_ms, response.output_tokens
    return {
        "text": response.text,
        "input_tokens": response.input_tokens,
        "output_tokens": tokens,
        "latency_ms": latency,
        "ms_per_token": latency / tokens if latency is not None and tokens else None,
        "finish_reason": response.finish_reason,
        "batch_size": response.batch_size,
        "measures": response.measures,
        "match": None
        if match is None
        else {
            "json_status": match.json_status,
            "exact": match.exact,
            "score": match.score,
            "schema_valid": schema_valid,
            "extra_fields": list(match.extra_fields),
            "problems": list(match.problems),
            "right": sum(field.status == "match" for field in match.fields),
            "judged": sum(field.status not in ("similar", "ignored") for field in match.fields),
        },
    }


def _fields(matches: dict[str, Match | None]) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for side, match in matches.items():
        for found in match.fields if match else ():
            first = {"field": found.field, "comparison": found.comparison, "expected": found.expected}
            rows.setdefault(found.field, first)[side] = {
                "status": found.status,
                "got": found.got,
                "similarity": found.similarity,
            }
    return list(rows.values())


def _timings(run: Comparison, candidate: ModelVersion, **of: Any) -> list[TimingRow]:
    rows = run.timings.filter(model__in=[run.baseline_id, candidate.pk], **of)
    return [
        TimingRow(row.prompt_id, row.model_id == candidate.pk, row.first_token_ms, row.token_ms, row.total_ms)
        for row in rows
    ]


def _model(model: ModelVersion) -> dict[str, Any]:
    return {
        "id": str(model.pk),
        "name": model.name,
        "kind": model.kind,
        "toy": model.is_demo,
        "path": model.path,
    }


def _training(run: TrainingRun | None) -> dict[str, Any] | None:
    """What the candidate was trained on and how far it got: the facts at the foot of every report."""
    if run is None:
        return None
    took = run.duration
    return {
        "dataset": str(run.dataset),
        "train_rows": run.dataset.train_rows,
        "validation_rows": run.dataset.validation_rows,
        "minutes": round(took.total_seconds() / 60, 1) if took else None,
        "curves": [
            {
                "split": row["split"],
                "loss": [row["first"].loss, row["last"].loss],
                "token_accuracy": [row["first"].token_accuracy, row["last"].token_accuracy],
            }
            for row in run_summary(run)
        ],
    }


def _readable(text: str) -> str:
    """A response that is JSON is indented for reading; anything else stays as it is."""
    try:
        value = json.loads(text)
        return (
            printable(json.dumps(value, ensure_ascii=False, indent=2))
            if isinstance(value, dict | list)
            else text
        )
    except (ValueError, RecursionError):
        return text


def _printable(value: Any) -> Any:
    """What no encoding can write (a lone surrogate that stood in a JSON text as an escape) is replaced."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {_printable(key): _printable(inner) for key, inner in value.items()}
    return [_printable(inner) for inner in value] if isinstance(value, list) else value
