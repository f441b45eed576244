"""Every read of this app, and the only place where its objects can be obtained: access is decided here, once."""

import json
import os
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from django.http import Http404
from django.utils import timezone

from ftplatform.accounts.models import User
from ftplatform.accounts.permissions import Staff, has_role
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job, JobEvent
from training.hyperparameters import label, told
from training.models import (
    Dataset,
    DatasetImport,
    Measurement,
    ModelJob,
    ModelVersion,
    StepMetric,
    TrainingRun,
    Upload,
)

M = TypeVar("M", bound=Model)
MAX_COMPARED = 8
MAX_LINEAGE = 50
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


def upload(*, user: User, pk: UUID) -> Upload:
    """An upload of one's own; another's, or one that has expired, is not there."""
    mine = Upload.objects.filter(created_by=user, expires_at__gt=timezone.now()).select_related("dataset")
    return _one(_visible(mine, user), pk)


def open_imports(*, user: User) -> list[DatasetImport]:
    """The newest check of each of one's own uploads that waits, works or was refused; at most 20."""
    mine = DatasetImport.objects.filter(
        created_by=user, upload__dataset__isnull=True, upload__expires_at__gt=timezone.now()
    )
    newest: dict[UUID, DatasetImport] = {}
    for each in _visible(mine.select_related("upload"), user)[:60]:
        newest.setdefault(each.upload_id, each)
    return [each for each in newest.values() if each.status != Job.Status.CANCELLED][:20]


def newest_import(upload: Upload) -> DatasetImport | None:
    return upload.imports.select_related("upload").first()


def measurements(*, user: User) -> QuerySet[Measurement]:
    return _visible(Measurement.objects.select_related("dataset", "base_model", "created_by"), user)


def measurement(*, user: User, pk: UUID) -> Measurement:
    return _one(measurements(user=user), pk)


def length_summary(measurement: Measurement) -> list[dict[str, Any]]:
    """For each split that has rows: rows, and the shortest, the median, the 95th percentile, the longest in tokens."""
    summary = []
    for split, measured in measurement.result.get("splits", {}).items():
        counts = measured["counts"]
        total = sum(count for _, count in counts)
        if total:
            summary.append(
                {
                    "split": split,
                    "rows": total,
                    "tokens": sum(length * count for length, count in counts),
                    "shortest": counts[0][0],
                    "median": _quantile(counts, total, 0.5),
                    "p95": _quantile(counts, total, 0.95),
                    "longest": counts[-1][0],
                    "bad_rows": measured["bad_rows"],
                }
            )
    return summary


def _quantile(counts: list[list[int]], total: int, share: float) -> int:
    """The smallest length that at least `share` of the rows do not exceed."""
    seen = 0
    for length, count in counts:
        seen += count
        if seen >= share * total:
            return length
    return counts[-1][0]


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
    return _visible(ModelVersion.objects.select_related("base", "run", "merged"), user)


def base_models(*, user: User) -> QuerySet[ModelVersion]:
    return models(user=user).filter(kind=ModelVersion.Kind.BASE).exclude(stage=ModelVersion.Stage.RETIRED)


def adapters(*, user: User) -> QuerySet[ModelVersion]:
    """Adapters of runs that succeeded; one that was cancelled at the last moment left something nobody should use."""
    made = Q(run__isnull=True) | Q(run__status=TrainingRun.Status.SUCCEEDED)
    current = models(user=user).filter(made, kind=ModelVersion.Kind.ADAPTER)
    return current.exclude(stage=ModelVersion.Stage.RETIRED)


def tuned_models(*, user: User) -> QuerySet[ModelVersion]:
    """Adapters, and models into which one was merged, that a worker can load today."""
    merged = models(user=user).filter(kind=ModelVersion.Kind.MERGED).exclude(stage=ModelVersion.Stage.RETIRED)
    return models(user=user).filter(
        Q(pk__in=adapters(user=user).values("pk")) | Q(pk__in=merged.values("pk"))
    )


def local_models(*, user: User) -> QuerySet[ModelVersion]:
    """Base models and tuned ones that a worker can load today."""
    return models(user=user).filter(
        Q(pk__in=base_models(user=user).values("pk")) | Q(pk__in=tuned_models(user=user).values("pk"))
    )


def served_models(*, user: User) -> QuerySet[ModelVersion]:
    """Every model that an endpoint may serve: what workers can load, and external systems."""
    elsewhere = models(user=user).filter(kind=ModelVersion.Kind.EXTERNAL)
    current = elsewhere.exclude(stage=ModelVersion.Stage.RETIRED)
    return models(user=user).filter(
        Q(pk__in=local_models(user=user).values("pk")) | Q(pk__in=current.values("pk"))
    )


def model(*, user: User, pk: UUID) -> ModelVersion:
    related = (
        "base",
        "run__dataset",
        "run__base_model",
        "source__run__dataset",
        "source__base",
        "created_by",
    )
    return _one(_visible(ModelVersion.objects.select_related(*related), user), pk)


def lineage(model: ModelVersion) -> dict[str, Any]:
    """A model's family, from its base to what was merged, with the comparisons that it was the candidate of.

    `adapters` has at most `MAX_LINEAGE` of a base's adapters; `more` says how many were left out.
    """
    adapter = model.source or (model if model.kind == ModelVersion.Kind.ADAPTER else None)
    children = model.adapters.filter(kind=ModelVersion.Kind.ADAPTER).select_related("run__dataset", "merged")
    total = children.count()
    return {
        "base": model.base or (model if model.kind == ModelVersion.Kind.BASE else None),
        "adapter": adapter,
        "run": adapter.run if adapter else None,
        "merged": getattr(adapter, "merged", None) if adapter else None,
        "adapters": children[:MAX_LINEAGE],
        "more": max(0, total - MAX_LINEAGE),
    }


def model_summary(model: ModelVersion) -> list[dict[str, Any]]:
    """`run_summary` of the run behind an adapter or a merged model; empty for others."""
    run = (model.source or model).run
    return run_summary(run) if run else []


def unfinished_downloads(*, user: User) -> QuerySet[ModelJob]:
    """Downloads that wait, work, or ended without a model in the last days."""
    asked = _visible(ModelJob.objects.select_related("model"), user)
    return asked.filter(kind=Job.Kind.DOWNLOAD, model__isnull=True).order_by("-created_at")[:10]


def model_jobs(*, user: User) -> QuerySet[ModelJob]:
    return _visible(ModelJob.objects.select_related("model", "created_by"), user)


def model_job(*, user: User, pk: UUID) -> ModelJob:
    return _one(model_jobs(user=user), pk)


def model_work(model: ModelVersion) -> dict[str, Any]:
    """The newest verification and merge of a model, and whether one of them is still to end."""
    verification = model.file_jobs.filter(kind=Job.Kind.VERIFICATION).first()
    merge = model.merges.first()
    return {
        "verification": verification,
        "merge": merge,
        "busy": any(job is not None and not job.is_finished for job in (verification, merge)),
    }


def runs(*, user: User) -> QuerySet[TrainingRun]:
    # All are of one kind; said, it lets the index of the newest be used.
    found = TrainingRun.objects.filter(kind=Job.Kind.TRAINING)
    return _visible(found.select_related("dataset", "base_model", "created_by", "adapter"), user)


def run(*, user: User, pk: UUID) -> TrainingRun:
    return _one(runs(user=user), pk)


def run_or_none(*, user: User, text: str) -> TrainingRun | None:
    """The run of an id that somebody wrote; None for whatever is no id or not theirs to see."""
    pk = _uuid(text)
    return None if pk is None else runs(user=user).filter(pk=pk).first()


def told_apart(compared: list[TrainingRun]) -> list[str]:
    """A name for each run that no other of them has."""
    names = [run.name for run in compared]
    return [f"{run.name} ({str(run.pk)[:8]})" if names.count(run.name) > 1 else run.name for run in compared]


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


def latest(run: TrainingRun) -> StepMetric | None:
    """The newest step's own measurements."""
    return run.metrics.filter(split=StepMetric.Split.TRAIN).order_by("-step").first()


def queue_outlook(run: TrainingRun) -> dict[str, Any] | None:
    """Of a queued run: its place among those that wait, and the seconds until it starts as far as anybody knows.

    `wait` adds up what runs and what comes first, shared by as many workers as are at work; None when one of them
    has no estimate.
    """
    if run.status != TrainingRun.Status.QUEUED:
        return None
    waiting = jobs.waiting_before(run)
    running = Job.objects.filter(queue=run.queue, status=Job.Status.RUNNING)
    expected = TrainingRun.objects.filter(pk__in=waiting.values("pk")).values_list("estimate", flat=True)
    figures = [left for left in running.values_list("seconds_left", flat=True) if left is not None]
    figures += [seconds["value"] for each in expected if each and (seconds := each["seconds"])]
    place = waiting.count()
    complete = len(figures) == place + running.count()
    workers = max(1, running.count())
    return {
        "place": place + 1,
        "running": running.count(),
        "wait": sum(figures) / workers if complete else None,
    }


def estimate_error(run: TrainingRun) -> dict[str, float] | None:
    """What was expected of a run against what it took, in seconds, and the error as a share of what it took; None
    for a run that did not go from start to end in one go."""
    expected = (run.estimate or {}).get("seconds")
    whole = run.status == TrainingRun.Status.SUCCEEDED and run.attempt == 1 and not run.from_step
    if not (expected and whole and run.duration):
        return None
    took = run.duration.total_seconds()
    return {
        "expected": expected["value"],
        "took": took,
        "error": expected["value"] / took - 1 if took else 0.0,
    }


def comparable_runs(*, user: User, ids: list[str]) -> list[TrainingRun]:
    """The runs of these ids in this order; unknown ones are left out. Raises DomainError unless 2 to `MAX_COMPARED`
    remain."""
    wanted = [pk for each in dict.fromkeys(ids) if (pk := _uuid(each))]
    found = runs(user=user).in_bulk(wanted[: MAX_COMPARED + 1])
    chosen = [found[pk] for pk in wanted if pk in found]
    if not 2 <= len(chosen) <= MAX_COMPARED:
        raise DomainError("choose_runs", f"Choose 2 to {MAX_COMPARED} runs to compare.", status=400)
    return chosen


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def settings_compared(compared: list[TrainingRun]) -> list[dict[str, Any]]:
    """Every setting with its value in each run, the differing ones first; `label` and `told` are for people."""
    rows: list[tuple[str, list[Any]]] = [
        ("dataset", [str(run.dataset) for run in compared]),
        ("base_model", [run.base_model.name for run in compared]),
    ]
    names = dict.fromkeys(name for run in compared for name in run.config)
    rows += [(name, [run.config.get(name) for run in compared]) for name in names]
    found = [
        {
            "name": name,
            "label": label(name),
            "values": values,
            "told": [told(name, value) for value in values],
            "differs": values != values[:1] * len(values),
        }
        for name, values in rows
    ]
    return sorted(found, key=lambda row: not row["differs"])


def results_compared(compared: list[TrainingRun]) -> list[dict[str, Any]]:
    """The final figures of each run."""
    return [
        {
            "run": run,
            "summary": {row["key"]: row for row in run_summary(run)},
            "metrics": run.facts.get("metrics", {}),
        }
        for run in compared
    ]


def run_summary(run: TrainingRun) -> list[dict[str, Any]]:
    """Loss and token accuracy at the start and at the end, for both splits: the first facts anybody asks for."""
    rows = []
    for split in StepMetric.Split:
        measured = run.metrics.filter(split=split)
        first, last = measured.first(), measured.last()
        if first is not None and last is not None:
            rows.append({"key": split.value, "split": split.label, "first": first, "last": last})
    return rows
