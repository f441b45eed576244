"""Comparison of several runs, and a summary of one run."""

from typing import Any
from uuid import UUID

from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from training.access import runs
from training.models import StepMetric, TrainingRun
from training.runs.hyperparameters import display_value, label

MAX_COMPARED = 8


def run_or_none(*, user: User, text: str) -> TrainingRun | None:
    """The run with the id in `text`; None if it is not a valid id or the user may not see the run."""
    pk = _uuid(text)
    return None if pk is None else runs(user=user).filter(pk=pk).first()


def told_apart(compared: list[TrainingRun]) -> list[str]:
    """A unique name for each of the runs."""
    names = [run.name for run in compared]
    return [f"{run.name} ({str(run.pk)[:8]})" if names.count(run.name) > 1 else run.name for run in compared]


def comparable_runs(*, user: User, ids: list[str]) -> list[TrainingRun]:
    """The runs with these ids, in this order; unknown ids are skipped. Raises DomainError unless 2 to `MAX_COMPARED`
    runs remain."""
    wanted = [pk for each in dict.fromkeys(ids) if (pk := _uuid(each))]
    by_key = runs(user=user).in_bulk(wanted[: MAX_COMPARED + 1])
    chosen = [by_key[pk] for pk in wanted if pk in by_key]
    if not 2 <= len(chosen) <= MAX_COMPARED:
        raise DomainError("choose_runs", f"Choose 2 to {MAX_COMPARED} runs to compare.", status=400)
    return chosen


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def settings_compared(compared: list[TrainingRun]) -> list[dict[str, Any]]:
    """Every setting with its value in each run, the differing ones first; `label` and `displayed` are for display."""
    rows: list[tuple[str, list[Any]]] = [
        ("dataset", [str(run.dataset) for run in compared]),
        ("base_model", [run.base_model.name for run in compared]),
    ]
    names = dict.fromkeys(name for run in compared for name in run.config)
    rows += [(name, [run.config.get(name) for run in compared]) for name in names]
    settings = [
        {
            "name": name,
            "label": label(name),
            "values": values,
            "displayed": [display_value(name, value) for value in values],
            "differs": values != values[:1] * len(values),
        }
        for name, values in rows
    ]
    return sorted(settings, key=lambda row: not row["differs"])


def results_compared(compared: list[TrainingRun]) -> list[dict[str, Any]]:
    """The final metrics of each run."""
    return [
        {
            "run": run,
            "summary": {row["key"]: row for row in run_summary(run)},
            "metrics": run.facts.get("metrics", {}),
        }
        for run in compared
    ]


def run_summary(run: TrainingRun) -> list[dict[str, Any]]:
    """Loss and token accuracy at the start and at the end, for both splits."""
    rows = []
    for split in StepMetric.Split:
        measured = run.metrics.filter(split=split)
        first, last = measured.first(), measured.last()
        if first is not None and last is not None:
            rows.append({"key": split.value, "split": split.label, "first": first, "last": last})
    return rows
