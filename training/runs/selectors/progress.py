"""The progress of a run: events, curves, sample answers, log, position in the queue."""

import os
from typing import Any

from django.db.models import QuerySet

from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job, JobEvent
from training.models import (
    StepMetric,
    TrainingRun,
)

_LOG_BLOCK = 1 << 17  # most bytes of a log that are read


def events(run: TrainingRun) -> QuerySet[JobEvent]:
    return run.events.order_by("-id")[:100]


def curve(run: TrainingRun, *, points: int = 400) -> dict[str, list[dict[str, Any]]]:
    """The run's metrics by split, thinned evenly to at most `points` per split. The first and last are always kept."""
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
    """The last lines of the run's log, over all its attempts; empty before the first starts."""
    try:
        with (run.folder / "run.log").open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(0, end - _LOG_BLOCK))
            tail = log.read().decode("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    # The first line is incomplete, unless the whole file was read.
    return (tail if end <= _LOG_BLOCK else tail[1:])[-lines:]


def latest(run: TrainingRun) -> StepMetric | None:
    """The metrics of the newest step."""
    return run.metrics.filter(split=StepMetric.Split.TRAIN).order_by("-step").first()


def queue_outlook(run: TrainingRun) -> dict[str, Any] | None:
    """A queued run's position among the waiting jobs, and the estimated seconds until it starts.

    `wait` is the total time of running jobs and those ahead, divided by the number of busy workers; None when one of
    them has no estimate.
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
    """Estimated and actual seconds of a run, and the error as a share of the actual time; None for a run that did not
    complete in one attempt from the beginning."""
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
