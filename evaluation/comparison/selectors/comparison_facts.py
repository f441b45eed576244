"""The context of a comparison's figures: its models, prompts, settings and known limitations."""

from collections import Counter
from typing import Any

from django.db.models import Count, Q

from evaluation.comparison.document import (
    ComparisonName,
    Curve,
    Latency,
    Leakage,
    Model,
    PromptSetFacts,
    Provenance,
    Training,
    Unmeasured,
)
from evaluation.models import Comparison, LeakageCheck
from evaluation.scoring.stream import TimingRow, stream_figures
from training.models import ModelVersion, TrainingRun
from training.runs.selectors.comparing import run_summary


def provenance(
    comparison: Comparison, candidate: ModelVersion, *, made_at: str = "", measured: bool = False
) -> Provenance:
    """The provenance of one candidate of a comparison.

    `made_at` is when its figures were computed, in UTC. `measured` means that there are single-stream times.
    """
    training = training_run(candidate)
    prompts = comparison.prompt_set
    return Provenance(
        comparison=ComparisonName(str(comparison.pk), comparison.name, comparison.is_imported),
        baseline_model=_model(comparison.baseline),
        candidate_model=_model(candidate),
        prompt_set=PromptSetFacts(
            str(prompts.pk), prompts.name, prompts.size, prompts.source, prompts.check_name
        ),
        decoding=comparison.decoding,
        engine=comparison.engine,
        facts=comparison.facts,
        leakage=leakage(comparison),
        left_out=comparison.facts.get("left_out"),
        training=_training(training) if training else None,
        made_at=made_at,
        latency=_latency(comparison, candidate, measured),
    )


def stream(comparison: Comparison, candidate: ModelVersion, **of: Any) -> list[dict[str, Any]]:
    """The single-stream figures of a comparison and one candidate, optionally from only some timings."""
    rows = comparison.timings.filter(model__in=[comparison.baseline_id, candidate.pk], **of)
    return stream_figures(
        TimingRow(row.prompt_id, row.model_id == candidate.pk, row.first_token_ms, row.token_ms, row.total_ms)
        for row in rows
    )


def leakage(comparison: Comparison) -> tuple[Leakage, ...]:
    """Findings about prompts that are in a training split, with the reason for using them anyway."""
    checks = LeakageCheck.objects.filter(prompt_set=comparison.prompt_set_id).select_related("dataset")
    return tuple(
        Leakage(str(check.dataset), check.exact, check.near, check.reason, check.examples) for check in checks
    )


def training_run(model: ModelVersion) -> TrainingRun | None:
    """The training run of a model. For a merged model, the run of its adapter."""
    return model.run or (model.source.run if model.source else None)


def _latency(comparison: Comparison, candidate: ModelVersion, measured: bool) -> Latency:
    if comparison.is_imported:
        return Latency("imported", "taken from the imported file; how it was measured is not known")
    size = comparison.facts.get("batch_size") or comparison.decoding.get("batch_size")
    if comparison.engine == comparison.LOCAL:
        together = f"in batches of {size}" if size else "in batches"
    else:
        together = f"with {size} requests at once" if size else "with several requests at once"
    note = f"measured {together}: shows throughput, not the latency of a single request"
    unmeasured = _unmeasured(comparison, candidate)
    return Latency("single_stream" if measured else "batched", note, unmeasured)


def _unmeasured(comparison: Comparison, candidate: ModelVersion) -> Unmeasured | None:
    """What could not be measured of the baseline and a candidate; None if everything was, or nothing was tried."""
    if "unmeasured" not in comparison.facts:
        return None
    models = (comparison.baseline_id, candidate.pk)
    timings = comparison.timings.filter(model__in=models)
    found = timings.aggregate(taken=Count("pk"), uncounted=Count("pk", filter=Q(output_tokens=None)))
    planned = 2 * min(comparison.prompt_set.size, comparison.decoding["latency_prompts"])
    missing = planned - found["taken"]
    if not missing and not found["uncounted"]:
        return None
    reasons: Counter[str] = Counter()
    for model in models:
        reasons.update(dict(comparison.facts["unmeasured"].get(str(model), ())))
    return Unmeasured(planned, missing, found["uncounted"], tuple(reasons.most_common()))


def _model(model: ModelVersion) -> Model:
    return Model(str(model.pk), model.name, model.kind, model.is_demo, model.path)


def _training(run: TrainingRun) -> Training:
    took = run.duration
    return Training(
        dataset=str(run.dataset),
        train_rows=run.dataset.train_rows,
        validation_rows=run.dataset.validation_rows,
        minutes=round(took.total_seconds() / 60, 1) if took else None,
        curves=tuple(
            Curve(
                row["split"],
                (row["first"].loss, row["last"].loss),
                (row["first"].token_accuracy, row["last"].token_accuracy),
            )
            for row in run_summary(run)
        ),
    )
