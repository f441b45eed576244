"""Finds prompts that a model was trained on before they are used. They are left out or used with a reason, as the user
chooses; without a choice, they are rejected.

Exact matches after normalisation are found in all rows. Near matches are found by shingles
(training.intake.near_duplicates), for at most 4,000 prompts and 60,000 training rows, sampled evenly.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from evaluation.models import LeakageCheck, PromptSet
from evaluation.scoring.matching.field_rule import normalised
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from training.intake import near_duplicates
from training.intake.conversations import prompt_parts
from training.models import Dataset, ModelVersion

_MOST_PROMPTS, _MOST_ROWS = 4_000, 60_000
_EXAMPLES = 20

Row = dict[str, Any]


@dataclass
class Finding:
    """The prompts in a training split: their number, their keys, and details of the first few."""

    exact: int = 0
    near: int = 0
    keys: set[str] = field(default_factory=set)
    examples: list[dict[str, Any]] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not self.exact and not self.near

    def note(self, key: str, train_id: str, similarity: float) -> None:
        self.keys.add(key)
        if len(self.examples) < _EXAMPLES:
            self.examples.append({"key": key, "train_id": train_id, "similarity": round(similarity, 3)})


def find(rows: Sequence[Row], dataset: Dataset) -> Finding:
    """Compare prompts ({id} with `Prompt.content`) with the training split of `dataset`."""
    finding = Finding()
    waiting: dict[bytes, list[str]] = {}
    for row in rows:
        waiting.setdefault(_digest(row), []).append(row["id"])
    for row in _training_rows(dataset):
        for key in waiting.pop(_digest(row), ()):
            finding.exact += 1
            finding.note(key, row["id"], 1.0)
    left = {key for keys in waiting.values() for key in keys}
    sample = [row for row in rows if row["id"] in left]
    near = _Near(sample[:: max(1, -(-len(sample) // _MOST_PROMPTS))], finding)
    stride = max(1, -(-dataset.train_rows // _MOST_ROWS))
    for row in islice(_training_rows(dataset), 0, None, stride):
        near.compare(row)
    return finding


def store(
    *, user: User, prompt_set: PromptSet, dataset: Dataset, finding: Finding, reason: str
) -> LeakageCheck:
    """Store a finding with the reason for using the prompts anyway. Raises DomainError `leakage` without a reason."""
    reason = reason.strip()
    if not finding.clean and not reason:
        raise refused(finding, dataset)
    values = {"exact": finding.exact, "near": finding.near, "examples": finding.examples, "reason": reason}
    check, _ = LeakageCheck.objects.update_or_create(
        prompt_set=prompt_set, dataset=dataset, defaults={**values, "made_by": user}
    )
    return check


def refused(finding: Finding, dataset: Dataset) -> DomainError:
    problems = [
        {
            "field": each["key"],
            "message": f"like training row {each['train_id']} ({each['similarity']:.0%} alike)",
        }
        for each in finding.examples
    ]
    number = len(finding.keys)
    nearly = f", {finding.near:,} of them nearly" if finding.near else ""
    error = DomainError(
        "leakage",
        f"{number:,} {'prompt is' if number == 1 else 'prompts are'} in the training split of {dataset}{nearly}: a "
        "model may repeat answers from memory. Leave them out, or give a reason to use them, which is shown with the "
        "results.",
        status=422,
        problems=problems,
    )
    error.extra = {"leaked": {"exact": finding.exact, "near": finding.near, "prompts": number}}
    return error


def new_findings(prompt_set: PromptSet, models: Iterable[ModelVersion]) -> list[tuple[Dataset, Finding]]:
    """What is found in each dataset that the models were trained on and that has not been checked before."""
    datasets = {model.run.dataset for model in models if model.run is not None}
    known = set(prompt_set.leakage_checks.values_list("dataset", flat=True))
    new = sorted((dataset for dataset in datasets if dataset.pk not in known), key=str)
    if not new:
        return []
    prompts = prompt_set.prompts.defer("expected", "tags")
    rows = [{"id": prompt.key, **prompt.content} for prompt in prompts.iterator(chunk_size=2000)]
    return [(dataset, find(rows, dataset)) for dataset in new]


def _digest(row: Row) -> bytes:
    """A digest of instruction and input, or of all turns, ignoring case, character width and white space."""
    text = json.dumps([_plain(part) for part in prompt_parts(row)], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return normalised(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _training_rows(dataset: Dataset) -> Iterator[Row]:
    try:
        with dataset.split_file("train").open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)
    except (FileNotFoundError, NotADirectoryError):
        raise DomainError(
            "dataset_files_missing",
            f"The stored rows of {dataset} are missing, so leakage cannot be checked; restore the artefact folder.",
        ) from None


class _Near:
    """Index of prompts by the keys of their bands. A prompt is reported once."""

    def __init__(self, rows: Sequence[Row], finding: Finding) -> None:
        self._finding = finding
        self._rows = [(row["id"], *near_duplicates.asked(row)) for row in rows]
        self._places: dict[tuple[int, int], list[int]] = {}
        for place, (_, _, hashes) in enumerate(self._rows):
            for key in _keys(hashes):
                self._places.setdefault(key, []).append(place)
        self._found: set[int] = set()

    def compare(self, row: Row) -> None:
        task, hashes = near_duplicates.asked(row)
        places = {place for key in _keys(hashes) for place in self._places.get(key, ())} - self._found
        for place in places:
            key, own_task, own = self._rows[place]
            alike = near_duplicates.similarity(hashes, own)
            if task == own_task and alike >= near_duplicates.THRESHOLD:
                self._found.add(place)
                self._finding.near += 1
                self._finding.note(key, row["id"], alike)


def _keys(hashes: near_duplicates.Hashes) -> list[tuple[int, int]]:
    return list(enumerate(near_duplicates.band_keys(hashes).tolist()))
