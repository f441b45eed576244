"""Real models and no mocks: the demonstration's own base, a handful of its cases and a few steps of training."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

import worker.ml.demo
from worker.ml import train
from worker.ml.demo.cases import generate_cases
from worker.ml.protocol import Reporter

BASE = Path(worker.ml.demo.__file__).parent / "base"
CONFIG = {"batch_size": 4, "learning_rate": 0.01, "lora_dropout": 0.1, "evaluate_every": 2, "max_length": 512}


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def run(work, job: dict[str, Any], reporter_class: type[Reporter] = Reporter) -> list[dict[str, Any]]:
    """Run a command's main in this process and return its events."""
    stream = io.StringIO()
    work(reporter_class(stream), job)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture(scope="session")
def cases() -> list[dict[str, Any]]:
    return generate_cases(48)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory, cases: list[dict[str, Any]]) -> Path:
    """A folder with train.jsonl (16 rows: 4 steps of 4) and validation.jsonl (8 rows)."""
    folder = tmp_path_factory.mktemp("files")
    write_jsonl(folder / "train.jsonl", cases[:16])
    write_jsonl(folder / "validation.jsonl", cases[16:24])
    return folder


@pytest.fixture
def job(files: Path, tmp_path: Path) -> dict[str, Any]:
    """A training job whose result goes to a fresh place."""
    return training_job(files, tmp_path / "adapter")


def training_job(files: Path, target: Path, **config: Any) -> dict[str, Any]:
    return {
        "base_model": str(BASE),
        "train_file": str(files / "train.jsonl"),
        "validation_file": str(files / "validation.jsonl"),
        "output_dir": str(target),
        "config": CONFIG | config,
        "resume_from": None,
    }


@pytest.fixture(scope="session")
def trained(files: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """(adapter, events) of one real QLoRA run of four steps."""
    target = tmp_path_factory.mktemp("runs") / "adapter"
    return target, run(train.main, training_job(files, target))
