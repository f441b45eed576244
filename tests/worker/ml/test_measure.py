"""Lengths and previews are what training itself does to the rows; a hostile template costs seconds, not the worker."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.services import ROOT
from tests.worker.ml.conftest import BASE, run, write_jsonl
from tests.worker.ml.test_generate import job as generation_job  # noqa: F401 (a fixture)
from worker.ml import generate, limits, measure
from worker.ml.chat import as_text
from worker.ml.data import read_rows, tokenise_rows
from worker.ml.errors import MlError
from worker.ml.models import load_tokenizer, stop_ids

END = "<|end|>"


def measured(files, base=BASE):
    splits = {name: str(files / f"{name}.jsonl") for name in ("train", "validation")}
    return run(measure.main, {"base_model": str(base), "files": splits, "rows": 48})[-1]["result"]


def test_lengths_are_those_of_training_row_by_row(files):
    tokenizer = load_tokenizer(BASE, embedding_rows=10**6)
    tokenised = tokenise_rows(read_rows(files / "train.jsonl"), tokenizer, stop_ids(tokenizer, BASE))
    expected = {row.id: len(row.input_ids) for row in tokenised}
    found = measured(files)["splits"]["train"]
    assert {row["id"]: row["tokens"] for row in found["longest"]} == expected
    assert sum(rows for _, rows in found["counts"]) == len(expected)
    lengths = [row["tokens"] for row in found["longest"]]
    assert lengths == sorted(lengths, reverse=True)


def test_the_preview_marks_the_answer_with_its_end_token_and_nothing_else(files, cases):
    by_id = {case["id"]: case for case in cases}
    rows = measured(files)["preview"]
    assert len(rows) >= 3
    for row in rows:
        trained = "".join(text for text, is_trained, _ in row["tokens"] if is_trained)
        assert trained == as_text(by_id[row["id"]]["output"]) + END
        read = "".join(text for text, is_trained, _ in row["tokens"] if not is_trained)
        assert by_id[row["id"]]["instruction"] in read
        assert [text for text, _, special in row["tokens"] if special][-1] == END
        assert row["length"] == len(row["tokens"])


def test_the_template_hash_is_one_in_preview_training_and_generation(files, trained, generation_job):  # noqa: F811
    adapter, events = trained
    answered = run(generate.main, generation_job)
    hashes = {
        "preview": measured(files)["template_hash"],
        "training": events[-1]["facts"]["template_hash"],
        "adapter": json.loads((adapter / "manifest.json").read_text())["facts"]["template_hash"],
        "generation": answered[-1]["facts"]["template_hash"],
    }
    assert len(set(hashes.values())) == 1, hashes


def test_real_rows_of_banking77_are_trained_on_their_answer_alone(shared_data, tmp_path):
    lines = (shared_data / "banking77" / "train.csv").read_text().splitlines()[1:40]
    rows = [
        {
            "id": f"r{n}",
            "instruction": "Name it.",
            "input": {"query": line.rsplit(",")[0]},
            "output": {"intent": line.rsplit(",")[-1]},
        }
        for n, line in enumerate(lines)
    ]
    for name in ("train", "validation"):
        write_jsonl(tmp_path / f"{name}.jsonl", rows)
    for row in measured(tmp_path)["preview"]:
        answer = rows[int(row["id"][1:])]["output"]
        assert "".join(text for text, trained, _ in row["tokens"] if trained) == as_text(answer) + END


def test_rows_that_cannot_be_trained_on_are_named_and_the_others_measured(tmp_path, cases):
    sly = {"id": "sly", "instruction": "x", "input": f"a{END}b", "output": "y"}
    write_jsonl(tmp_path / "train.jsonl", [*cases[:4], sly])
    write_jsonl(tmp_path / "validation.jsonl", cases[4:6])
    found = measured(tmp_path)["splits"]["train"]
    assert found["bad_rows"] == 1
    assert (found["problems"][0]["id"], found["problems"][0]["code"]) == ("sly", "control_token_in_text")
    assert len(found["longest"]) == 4


def test_of_a_long_row_the_beginning_and_the_answer_are_shown(tmp_path, cases):
    long = cases[0] | {"id": "long", "input": "word " * 3000}
    write_jsonl(tmp_path / "train.jsonl", [*cases[:4], long])
    write_jsonl(tmp_path / "validation.jsonl", cases[4:6])
    row = next(row for row in measured(tmp_path)["preview"] if row["id"] == "long")
    assert row["left_out"] == row["length"] - len(row["tokens"]) > 0
    assert row["tokens"][-1][0] == END


# --- Hostile templates ------------------------------------------------------------------------------------

LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
HOSTILE: dict[str, tuple[str, set[str] | signal.Signals]] = {
    "endless loop": (LOOP, {"template_too_slow"}),
    # Deaf to the interrupt while it multiplies; the second timer ends the process.
    "huge number": ("{{ 9 ** (9 ** 9) }}", signal.SIGVTALRM),
    # Which limit it meets first depends on how busy the machine is.
    "huge text": ("{{ 'a' * 200000000 }}", {"template_too_large", "template_too_slow"}),
    "huge memory": ("{{ 'a' * 10 ** 11 }}", {"template_too_large"}),
    "attributes": ("{{ messages.__class__.__mro__[1].__subclasses__() }}", {"template_failed"}),
    "sleeping in C": (
        "{{ ('a' * 30000000).split('a') | sort | length }}" + LOOP,
        {"template_too_slow"},
    ),
}


def hostile_base(folder: Path, template: str) -> Path:
    shutil.copytree(BASE, folder)
    (folder / "chat_template.jinja").write_text(template)
    config = folder / "tokenizer_config.json"
    settings = json.loads(config.read_text())
    settings.pop("chat_template", None)
    config.write_text(json.dumps(settings))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_template_is_stopped_within_seconds(tmp_path, files, name):
    template, ends = HOSTILE[name]
    base = hostile_base(tmp_path / "base", template)
    job = tmp_path / "job.json"
    splits = {split: str(files / f"{split}.jsonl") for split in ("train", "validation")}
    job.write_text(json.dumps({"base_model": str(base), "files": splits, "rows": 48}))
    done = subprocess.run(
        [sys.executable, "-m", "worker.ml.measure", str(job)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    if isinstance(ends, signal.Signals):
        assert done.returncode == -ends
    else:
        assert done.returncode == 1 and events[-1]["code"] in ends, done.stderr[-2000:]


def test_the_limit_is_five_seconds_of_a_single_render(monkeypatch):
    monkeypatch.setattr(limits, "SECONDS", 0.3)
    began = time.monotonic()
    with pytest.raises(MlError) as caught, limits.bounded("It"):
        while True:
            pass
    assert caught.value.code == "template_too_slow"
    assert time.monotonic() - began < 20


def test_without_the_limit_the_loop_goes_on(monkeypatch):
    """The control: the same loop, with a limit that is later, is still at work."""
    monkeypatch.setattr(limits, "SECONDS", 30.0)
    began = time.monotonic()
    with limits.bounded("It"):
        while time.monotonic() - began < 1:
            pass
    assert time.monotonic() - began >= 1


def test_memory_is_bounded_and_given_back():
    with pytest.raises(MlError) as caught, limits.bounded("It"):
        bytearray(6 * 2**30)
    assert caught.value.code == "template_too_large"
    assert bytearray(2**20)
