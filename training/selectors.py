"""Every read of this app, and the only place where its objects can be obtained: access is decided here, once."""

import json
import os
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from django.http import Http404

from ftplatform.accounts.models import User
from ftplatform.accounts.permissions import Staff, has_role
from ftplatform.errors import DomainError
from ftplatform.jobs.models import JobEvent
from training.models import Dataset, ModelVersion, StepMetric, TrainingRun

M = TypeVar("M", bound=Model)
_LOG_BLOCK = 1 << 17  # bytes of a log that are read at most


def _visible(queryset: QuerySet[M], user: User) -> QuerySet[M]:
    """Reviewers see nothing of training: names and numbers here could tell them which response is whose."""
    return queryset if has_role(user, Staff) else queryset.none()


def _one(queryset: QuerySet[M], pk: UUID) -> M:
    found = queryset.filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def datasets(*, user: User) -> QuerySet[Dataset]:
    return _visible(Dataset.objects.select_related("created_by"), user)


def dataset(*, user: User, pk: UUID) -> Dataset:
    return _one(datasets(user=user), pk)


def examples(dataset: Dataset, split: str, *, limit: int) -> list[dict[str, Any]]:
    """The first rows of a split; reads no further than it must."""
    try:
        with dataset.split_file(split).open(encoding="utf-8") as lines:
            return [json.loads(line) for line in islice(lines, limit)]
    except (FileNotFoundError, NotADirectoryError):
        raise DomainError(
            "dataset_files_missing",
            f"The stored rows of {dataset} are missing; restore the artefact folder from a backup, or upload the "
            "same file with the same held-out share again.",
            status=409,
        ) from None


def models(*, user: User) -> QuerySet[ModelVersion]:
    return _visible(ModelVersion.objects.select_related("base", "run"), user)


def base_models(*, user: User) -> QuerySet[ModelVersion]:
    return models(user=user).filter(kind=ModelVersion.Kind.BASE).exclude(stage=ModelVersion.Stage.RETIRED)


def adapters(*, user: User) -> QuerySet[ModelVersion]:
    """Adapters of runs that succeeded; one that was cancelled at the last moment left something nobody should use."""
    made = Q(run__isnull=True) | Q(run__status=TrainingRun.Status.SUCCEEDED)
    current = models(user=user).filter(made, kind=ModelVersion.Kind.ADAPTER)
    return current.exclude(stage=ModelVersion.Stage.RETIRED)


def local_models(*, user: User) -> QuerySet[ModelVersion]:
    """Base models and adapters that a worker can load today."""
    return models(user=user).filter(
        Q(pk__in=base_models(user=user).values("pk")) | Q(pk__in=adapters(user=user).values("pk"))
    )


def model(*, user: User, pk: UUID) -> ModelVersion:
    return _one(models(user=user), pk)


def runs(*, user: User) -> QuerySet[TrainingRun]:
    return _visible(
        TrainingRun.objects.select_related("dataset", "base_model", "created_by", "adapter"), user
    )


def run(*, user: User, pk: UUID) -> TrainingRun:
    return _one(runs(user=user), pk)


def events(run: TrainingRun) -> QuerySet[JobEvent]:
    return run.events.order_by("-id")[:100]


def curve(run: TrainingRun, *, points: int = 400) -> dict[str, list[dict[str, Any]]]:
    """The run's metrics by split, thinned evenly to at most `points` per split; first and last always stay."""
    curves: dict[str, list[dict[str, Any]]] = {}
    fields = (
        *("step", "loss", "token_accuracy", "tokens", "learning_rate", "grad_norm"),
        *("tokens_per_second", "memory_bytes"),
    )
    for split in StepMetric.Split.values:
        rows = list(run.metrics.filter(split=split).values(*fields))
        stride = max(1, -(-len(rows) // points))
        curves[split] = rows[:1] + rows[1:-1:stride] + rows[-1:] if len(rows) > 2 else rows
    return curves


def samples(run: TrainingRun) -> list[dict[str, Any]]:
    """For each of the run's fixed validation prompts: the prompt, the expected answer, and the answers by step."""
    prompts: dict[int, dict[str, Any]] = {}
    for each in run.samples.order_by("index", "step"):
        first = {"prompt": each.prompt, "expected": each.expected, "row_id": each.row_id, "answers": []}
        prompts.setdefault(each.index, first)["answers"].append(each)
    return list(prompts.values())


def log_tail(run: TrainingRun, *, lines: int = 200) -> list[str]:
    """The last lines of the run's log, over all its attempts; empty before the first started."""
    try:
        with (run.folder / "run.log").open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(0, end - _LOG_BLOCK))
            found = log.read().decode("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    # The first line is cut, unless this is the whole file.
    return (found if end <= _LOG_BLOCK else found[1:])[-lines:]


def run_summary(run: TrainingRun) -> list[dict[str, Any]]:
    """Loss and token accuracy at the start and at the end, for both splits: the first facts anybody asks for."""
    rows = []
    for split in StepMetric.Split:
        measured = run.metrics.filter(split=split)
        first, last = measured.first(), measured.last()
        if first is not None and last is not None:
            rows.append({"split": split.label, "first": first, "last": last})
    return rows
