"""Export a model: its files with its card, or everything needed to reproduce it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils.text import slugify

from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from ftplatform.zip_stream import zip_stream
from training import artefacts
from training.models import ModelVersion, TrainingRun
from training.registry import card, reproduce
from training.runs import markdown

Entry = tuple[str, Path | str]
# A dataset has one file of rows per split; training reads these.
_SPLITS = ("train", "validation")


@dataclass(frozen=True)
class Export:
    """An archive to stream: `blocks` are generated while they are sent."""

    file_name: str
    blocks: Iterator[bytes]


def files(*, user: User, model: ModelVersion, summary: list[dict[str, Any]]) -> Export:
    """The model's files and its card. Raises DomainError: not_exportable for a model that was not produced here, and
    the errors of the file check if files have changed."""
    if model.kind not in (ModelVersion.Kind.ADAPTER, ModelVersion.Kind.MERGED) or not model.path:
        raise DomainError(
            "not_exportable",
            f"{model} was not made on this server. Get its files from where it was registered.",
            status=400,
        )
    folder = Path(model.path)
    try:
        artefacts.verify(folder)
    except artefacts.ArtefactError as error:
        raise DomainError(error.code, str(error), status=409) from error
    entries: list[Entry] = [
        (file.relative_to(folder).as_posix(), file) for file in sorted(folder.rglob("*")) if file.is_file()
    ]
    entries = [entry for entry in entries if entry[0] != "README.md"]
    return _send(user, model, model.kind, [*entries, ("README.md", card.markdown(model, summary))])


def reproduction(
    *, user: User, model: ModelVersion, summary: list[dict[str, Any]], with_rows: bool = False
) -> Export:
    """Configuration, hashes, versions, script and card; optionally also the dataset's rows.

    Raises DomainError `no_run` for a model that no run of this installation produced.
    """
    adapter = model.source or model
    run = adapter.run
    if run is None:
        raise DomainError("no_run", f"No training run of this installation made {model}.", status=400)
    entries: list[Entry] = [
        (
            "README.md",
            _HOW + card.markdown(adapter, summary).partition("---\n")[2].partition("---\n")[2],
        ),
        ("run.json", _json(_recorded(run))),
        ("config.json", _json(run.config)),
        ("requirements.txt", _requirements(run)),
        ("run.md", markdown.markdown(run, summary)),
        ("reproduce.py", Path(reproduce.__file__)),
    ]
    if with_rows:
        rows = [(f"dataset/{split}.jsonl", run.dataset.split_file(split)) for split in _SPLITS]
        missing = [name for name, file in rows if not file.is_file()]
        if missing:
            raise DomainError("dataset_files_missing", f"The stored rows of {run.dataset} are missing.")
        entries += rows
    return _send(user, model, "reproduce", entries, with_rows=with_rows)


def _send(user: User, model: ModelVersion, what: str, entries: list[Entry], **details: Any) -> Export:
    audit.record(actor=user, action="model.export", target=model, what=what, **details)
    prefix = slugify(model.name) or "model"
    return Export(
        f"{prefix}-{what}.zip", zip_stream((f"{prefix}/{name}", content) for name, content in entries)
    )


def _recorded(run: TrainingRun) -> dict[str, Any]:
    data = run.facts.get("datasets", {})
    return {
        "name": run.name,
        "config": run.config,
        "dataset": {"name": run.dataset.name, "version": run.dataset.version, "rows": run.dataset.rows},
        "base_model": {"name": run.base_model.name, "hub_reference": run.base_model.hub_reference},
        "sha256": {
            "base": run.base_model.weights_hash,
            "dataset": run.dataset.content_hash,
            **{split: data.get(split, {}).get("sha256", "") for split in _SPLITS},
        },
        "facts": run.facts,
    }


def _requirements(run: TrainingRun) -> str:
    versions = run.facts.get("libraries", {})
    return "".join(
        f"{name}=={str(version).partition('+')[0]}\n" for name, version in sorted(versions.items())
    )


def _json(content: Any) -> str:
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


_HOW = """# Reproduce this adapter

1. Install ftplatform with its `worker` extra and the versions of `requirements.txt`.
2. Get the base model and the dataset's rows. Their hashes are in `run.json` and are compared first.
3. `python reproduce.py --base BASE_FOLDER --data DATA_FOLDER --out NEW_FOLDER`

On the same kind of machine the result is the same to the last bit; on another, losses agree to a few digits.

"""
