"""Real worker and training processes that tests can kill, on the test's own database."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from tests import factories, services
from training.config import TrainingConfig
from training.models import ModelVersion, TrainingRun
from training.registry.services import models
from training.runs.services import runs
from worker.demo.stages import BASE_FOLDER

# 18 rows in batches of 2 give 9 steps an epoch. Dropout and two epochs make the random numbers matter.
CONFIG = TrainingConfig(
    method="lora",
    lora_r=4,
    lora_dropout=0.1,
    learning_rate=5e-3,
    batch_size=2,
    epochs=4,
    max_length=512,
    evaluate_every=12,
    checkpoint_every=3,
    sample_prompts=1,
)


@pytest.fixture(scope="session")
def nursery() -> Iterator[str]:
    """The socket of a process that forks training processes."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/socket"
        with services.guarded(
            [sys.executable, "-m", "tests.faults.nursery", path],
            log=Path(folder) / "log",
            env=dict(os.environ),
        ):
            services.wait_until(lambda: Path(path).exists(), seconds=600, what="the nursery")
            yield path


class Worker:
    """A worker process; its output is in `log`."""

    def __init__(
        self, nursery: str, folder: Path, *arguments: str, prefix: Sequence[str] = (), **environment: str
    ) -> None:
        self.log = folder / f"worker-{len(list(folder.iterdir()))}.log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "tests.faults.worker_process", *arguments],
                cwd=services.ROOT,
                env={
                    **os.environ,
                    # Its processes have their own mount namespace.
                    "NURSERY": "" if prefix else nursery,
                    "TEST_DATABASE": str(connection.settings_dict["NAME"]),
                    "DJANGO_SETTINGS_MODULE": "ftplatform.settings",
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait(120)


@pytest.fixture
def start_worker(nursery: str, tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    started: list[Worker] = []
    (tmp_path / "logs").mkdir()

    def start(*arguments: str, prefix: Sequence[str] = (), **environment: str) -> Worker:
        started.append(Worker(nursery, tmp_path / "logs", *arguments, prefix=prefix, **environment))
        return started[-1]

    yield start
    for worker in started:
        if worker.process.poll() is None:
            worker.process.send_signal(signal.SIGCONT)
            worker.signal(signal.SIGKILL)


@pytest.fixture
def launch(tmp_path: Path) -> Callable[..., TrainingRun]:
    """Launch a run of the toy base on 18 rows, with the same data and settings every time."""
    settings_folder = Path(settings.ARTEFACT_DIR)
    settings_folder.mkdir(parents=True, exist_ok=True)
    owner = factories.user()
    data = factories.dataset(owner, rows=20)

    def start(**changes: Any) -> TrainingRun:
        base = ModelVersion.objects.filter(kind="base").first() or models.register_base(
            user=owner, name="toy", path=str(BASE_FOLDER)
        )
        config = CONFIG.model_copy(update=changes)
        return runs.launch(user=owner, name="fault", dataset=data, base_model=base, config=config)

    return start


def training_pid(run: TrainingRun) -> int | None:
    """Process id of the newest attempt's training, or None if it is not running."""
    files = sorted(run.folder.glob("attempt-*/pid"), key=lambda file: file.stat().st_mtime)
    if not files:
        return None
    pid = int(files[-1].read_text() or 0)
    stat = Path(f"/proc/{pid}/stat")
    alive = stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
    return pid if alive else None
