"""Estimates of a run's time, memory and cost, from past runs of this installation."""

import json
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from django.conf import settings
from django.db.models import F

from training.config import TrainingConfig
from training.models import Dataset, Measurement, ModelVersion, TrainingRun
from training.runs.estimate import Estimate, PastRun, Plan, Shape, estimate

_PAST_RUNS = 40
_ROWS_READ = 400
_CHARACTERS_PER_TOKEN = 4.0


def forecast(
    *, dataset: Dataset, base_model: ModelVersion, config: TrainingConfig, from_step: int = 0
) -> Estimate | None:
    """Time, memory and cost of a run, or None if the base model's size is unknown.

    For a run that continues from a checkpoint, only the part after `from_step` counts.
    """
    shape = _shape(base_model)
    if shape is None:
        return None
    runs = _finished_runs()
    past = [known for run in runs if (known := _past(run)) is not None]
    tokens, longest = _measured(dataset, base_model) or _guessed(dataset, base_model, runs)
    plan = Plan(shape, config, dataset.train_rows, dataset.validation_rows, tokens, longest)
    if from_step:
        left = max(0.0, 1 - from_step / plan.steps)
        plan = replace(plan, config=config.model_copy(update={"epochs": config.epochs * left}))
    return estimate(plan, past, price_per_hour=settings.PRICE_PER_HOUR * config.devices)


def _measured(dataset: Dataset, base_model: ModelVersion) -> tuple[float, float] | None:
    """(mean, longest) row in tokens, as measured by a worker with the base's own tokenizer."""
    measurements = Measurement.objects.filter(
        dataset=dataset, base_model=base_model, status=Measurement.Status.SUCCEEDED
    )
    result = measurements.values_list("result", flat=True).first()
    counts = result["splits"]["train"]["counts"] if result else []
    if not counts:
        return None
    rows = sum(count for _, count in counts)
    return sum(length * count for length, count in counts) / rows, max(length for length, _ in counts)


def _guessed(dataset: Dataset, base_model: ModelVersion, runs: list[TrainingRun]) -> tuple[float, float]:
    """(mean, longest) row in tokens, from a past run on the same data or from the number of characters."""
    typical, longest = _characters(str(dataset.split_file("train")))
    per_token = _characters_per_token(base_model, runs)
    same = (run for run in runs if (run.dataset_id, run.base_model_id) == (dataset.pk, base_model.pk))
    tokens = next((counted for run in same if (counted := _tokens(run))), None) or typical / per_token
    return tokens, max(tokens, longest / per_token)


def _finished_runs() -> list[TrainingRun]:
    """The newest runs that completed in one attempt. With more attempts, the time between them would count as work."""
    whole = TrainingRun.objects.filter(
        kind=TrainingRun.Kind.TRAINING, status=TrainingRun.Status.SUCCEEDED, attempt=1, from_step=0
    )
    return list(whole.select_related("dataset", "base_model").order_by(F("finished_at").desc())[:_PAST_RUNS])


def _shape(model: ModelVersion) -> Shape | None:
    details: dict[str, Any] = model.details
    names = ("parameters", "layers", "hidden_size", "vocabulary")
    if not all(isinstance(details.get(name), int) and details[name] > 0 for name in names):
        return None
    return Shape(*(details[name] for name in names))


def _past(run: TrainingRun) -> PastRun | None:
    shape, tokens, metrics = _shape(run.base_model), _tokens(run), run.facts.get("metrics", {})
    if shape is None or tokens is None or run.duration is None:
        return None
    config = TrainingConfig.model_validate(run.config)
    plan = Plan(shape, config, run.dataset.train_rows, run.dataset.validation_rows, tokens, 0)
    # A run that stopped early completed only part of its plan.
    done = config.model_copy(update={"epochs": config.epochs * min(1.0, metrics["steps"] / plan.steps)})
    typical, longest = _characters(str(run.dataset.split_file("train")))
    plan = Plan(
        shape,
        done,
        run.dataset.train_rows,
        run.dataset.validation_rows,
        tokens,
        tokens * (longest / typical if typical else 1.0),
    )
    return PastRun(
        plan,
        str(run.facts.get("device", "")),
        run.duration.total_seconds(),
        run.facts.get("peak_memory_bytes"),
    )


def _tokens(run: TrainingRun) -> float | None:
    """Mean tokens of a trained row, as counted by the run."""
    metrics = run.facts.get("metrics", {})
    if not metrics.get("tokens") or not metrics.get("steps"):
        return None
    config = TrainingConfig.model_validate(run.config)
    rows = min(metrics["steps"] * config.rows_per_step, config.epochs * run.dataset.train_rows)
    return float(metrics["tokens"] / rows)


def _characters_per_token(base_model: ModelVersion, runs: list[TrainingRun]) -> float:
    """Characters per token of this base in the datasets of past runs; four if there are none."""
    ratios = []
    for run in runs:
        tokens, typical = _tokens(run), _characters(str(run.dataset.split_file("train")))[0]
        if run.base_model_id == base_model.pk and tokens and typical:
            ratios.append(typical / tokens)
    return median(ratios) if ratios else _CHARACTERS_PER_TOKEN


@lru_cache(maxsize=256)
def _characters(train_file: str) -> tuple[float, float]:
    """(mean, longest) of the texts of the first rows, in characters. Dataset versions are immutable, so the file
    never changes."""
    try:
        with Path(train_file).open(encoding="utf-8") as lines:
            lengths = [_length(json.loads(line)) for line in islice(lines, _ROWS_READ)]
    except OSError:
        lengths = []
    return (sum(lengths) / len(lengths), float(max(lengths))) if lengths else (0.0, 0.0)


def _length(row: dict[str, Any]) -> int:
    texts = [row[name] for name in ("instruction", "input", "messages", "tools", "output") if name in row]
    return sum(len(text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)) for text in texts)
