"""Copy the metrics of training runs to an MLflow server, when `MLFLOW_TRACKING_URI` names one.

Only the worker connects to it: the training process, which runs third-party models, gets neither its address nor its
credentials, and none of them is written anywhere. The copy is made in a separate thread, so a server that is slow,
down or misconfigured affects only the copy and not the run.
"""

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from ftplatform.jobs import services as jobs
from training.models import TrainingRun

Event = dict[str, Any]
_TAG = "ftplatform.run"
_FIGURES = {
    "step": (
        "train",
        ("loss", "token_accuracy", "learning_rate", "grad_norm", "tokens_per_second", "memory_bytes"),
    ),
    "evaluation": ("validation", ("loss", "token_accuracy")),
}
_STATUS = {"done": "FINISHED", "cancelled": "KILLED", "error": "FAILED"}
_AT_ONCE = 900  # MLflow accepts at most 1,000 metrics in one request
_LAST_WAIT_SECONDS = 30.0


class Mirror:
    """Sends the events of one attempt. Afterwards, `problem` says why the copy is incomplete, if it is."""

    def __init__(self, run: TrainingRun) -> None:
        self.problem = ""
        self._run = str(run.pk)
        self._name = run.name
        self._params = run.config | {"base_model": run.base_model.name, "dataset": str(run.dataset)}
        self._events: queue.Queue[list[Event] | None] = queue.Queue()
        self._is_ours = True
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def send_later(self, events: list[Event]) -> None:
        if self._thread.is_alive():
            self._events.put(events)

    def end(self, *, is_ours: bool) -> None:
        """Close the MLflow run, unless another attempt owns the job. Wait a limited time for pending events."""
        self._is_ours = is_ours
        self._events.put(None)
        self._thread.join(_LAST_WAIT_SECONDS)
        if self._thread.is_alive():
            self.problem = f"it did not answer within {_LAST_WAIT_SECONDS:.0f} seconds"

    def _work(self) -> None:
        try:
            self._send()
        except ImportError:
            self.problem = "the package mlflow-skinny is not installed on this worker"
        except Exception as error:
            # The error's message may contain the address with the password in it.
            self.problem = f"it failed with {type(error).__name__}"

    def _send(self) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=settings.MLFLOW_TRACKING_URI)
        copy = self._open(client)
        status = "FAILED"
        while (events := self._events.get()) is not None:
            metrics = [metric for event in events for metric in _metrics(event)]
            for start in range(0, len(metrics), _AT_ONCE):
                client.log_batch(copy, metrics=metrics[start : start + _AT_ONCE])
            status = next((_STATUS[each["event"]] for each in events if each["event"] in _STATUS), status)
        if self._is_ours:
            client.set_terminated(copy, status=status)

    def _open(self, client: Any) -> str:
        """The id of the MLflow run for this training run: that of an earlier attempt, or a new one."""
        name = settings.MLFLOW_EXPERIMENT
        experiment = client.get_experiment_by_name(name)
        folder = experiment.experiment_id if experiment else client.create_experiment(name)
        earlier = client.search_runs([folder], filter_string=f"tags.`{_TAG}` = '{self._run}'", max_results=1)
        if earlier:
            copy = str(earlier[0].info.run_id)
            client.update_run(copy, status="RUNNING")
            return copy
        copy = str(client.create_run(folder, tags={_TAG: self._run}, run_name=self._name).info.run_id)
        for param, value in self._params.items():
            client.log_param(copy, param, value)
        return copy


@contextmanager
def mirrored(run: TrainingRun, note: Callable[[str], None]) -> Iterator[Callable[[list[Event]], None]]:
    """Yield a function that copies the events of an attempt to MLflow, if one is configured; `note` is called with a
    message if there was a problem."""
    if not settings.MLFLOW_TRACKING_URI:
        yield lambda events: None
        return
    mirror = Mirror(run)
    try:
        yield mirror.send_later
    except jobs.StaleAttempt:
        mirror.end(is_ours=False)
        raise
    except BaseException:
        mirror.end(is_ours=True)
        raise
    mirror.end(is_ours=True)
    if mirror.problem:
        note(f"The copy of the figures for MLflow is not complete: {mirror.problem}.")


def _metrics(event: Event) -> list[Any]:
    if event["event"] not in _FIGURES:
        return []
    from mlflow.entities import Metric

    now = int(1000 * time.time())
    split, figures = _FIGURES[event["event"]]
    return [Metric(f"{split}/{name}", float(event[name]), now, event["step"]) for name in figures]
