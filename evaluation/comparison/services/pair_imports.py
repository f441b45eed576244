"""Imports pairs of any two systems as a finished comparison. Its figures are labelled as imported everywhere."""

import pickle
import tempfile
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from datetime import timedelta
from typing import IO, Any, NamedTuple

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from evaluation.comparison import readers
from evaluation.comparison.document import SIDES
from evaluation.comparison.services import figures, tags
from evaluation.models import Comparison, ComparisonCandidate, FieldChange, Pair, Prompt, PromptSet, Response
from evaluation.models import ComparisonFigures as ComparisonRow
from evaluation.scoring import (
    PairRow,
    Question,
    Scored,
    Scorer,
    SideRow,
    Summary,
    score_all,
    score_change,
    scored_ahead,
)
from evaluation.scoring.matching import Inference
from evaluation.scoring.matching.declared import to_json
from ftplatform import bulk_rows
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from ftplatform.jobs.models import Job
from training.models import ModelVersion

MAX_PAIRS = 1_000_000
_BATCH = 1000
# Characters of both responses; limits memory when responses are very long.
_BATCH_CHARACTERS = 20_000_000
# From this number of pairs, separate processes are faster than one.
_WORTH_PROCESSES = 5_000
_QUIET = timedelta(minutes=1)
_INCOMPLETE = "import_incomplete"


def create(
    *,
    user: User,
    name: str,
    file: IO[bytes],
    source_name: str,
    baseline: str,
    candidate: str,
    columns: readers.Columns = readers.NO_COLUMNS,
) -> Comparison:
    """Store the pairs of a file (see `evaluation.comparison.readers`) as a comparison called `name`.

    `baseline` and `candidate` are names of systems; an unknown name becomes an external system. The whole file is
    checked first and its rows are kept on disk. They are then stored in batches, so that memory use stays constant
    and reviewers can rate meanwhile.

    Raises DomainError `invalid_rows`, `same_model`, `name_taken`, `empty_import`, `import_interrupted`; then nothing
    is stored.
    """
    if baseline.strip() == candidate.strip():
        raise DomainError("same_model", "Give the two systems different names.", status=400)
    with tempfile.TemporaryFile() as kept:
        checked = _check(readers.pairs(file, source_name, columns), kept)
        comparison = _begin(user, name, source_name, (baseline.strip(), candidate.strip()), checked)
        pairs = _store_all(comparison, checked)
    Comparison.objects.filter(pk=comparison.pk).update(
        status=Job.Status.SUCCEEDED, error_code="", error_message="", finished_at=timezone.now()
    )
    audit.record(actor=user, action="pairs.import", target=comparison, pairs=pairs)
    comparison.refresh_from_db()
    return comparison


def _store_all(comparison: Comparison, checked: "_Checked") -> int:
    try:
        summary, stored = Summary(), figures.start(comparison, comparison.candidate)
        scorer = figures.scorer_of(comparison.prompt_set)
        batches = (_Batch.of(rows, checked.tag_fields) for rows in _batches(checked.rows()))
        with closing(_judged(scorer, batches, checked.size)) as judged:
            for batch, scores in judged:
                with transaction.atomic():
                    Comparison.objects.filter(pk=comparison.pk).update(heartbeat_at=Now())
                    summary.add(_store(comparison, stored, batch, scores))
        figures.keep(stored, summary)
    except BaseException:
        _forget(comparison)
        raise
    return summary.pairs


class _Batch(NamedTuple):
    rows: list[dict[str, Any]]
    tagged: list[tags.Tags]

    @classmethod
    def of(cls, rows: list[dict[str, Any]], tag_fields: list[str]) -> "_Batch":
        return cls(rows, [tags.of_row(row, tag_fields) for row in rows])

    def questions(self) -> list[Question]:
        return [
            Question(row["instruction"], row["input"], own, row["expected"], [row[s]["text"] for s in SIDES])
            for row, own in zip(self.rows, self.tagged, strict=True)
        ]


def _judged(
    scorer: Scorer, batches: Iterator[_Batch], size: int
) -> Generator[tuple[_Batch, list[list[Scored]]]]:
    """The scores to store for both sides of each row. Raises DomainError `import_interrupted` if a process dies."""
    if size < _WORTH_PROCESSES:
        yield from ((batch, score_all(scorer, batch.questions())) for batch in batches)
        return
    try:
        yield from scored_ahead(scorer, batches)
    except BrokenProcessPool:
        raise DomainError(
            "import_interrupted",
            "A process that matched the pairs was ended, for want of memory perhaps; nothing is stored. "
            "Import the file again.",
            status=503,
        ) from None


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    characters = 0
    for row in rows:
        batch.append(row)
        characters += sum(len(row[side]["text"]) for side in SIDES)
        if len(batch) == _BATCH or characters > _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


class _Checked:
    """A valid file: its rows in a temporary file, and the properties they share."""

    def __init__(self, kept: IO[bytes]) -> None:
        self.size = 0
        self._kept = kept
        self.inference, self._suggestion = Inference(), tags.Suggestion()

    def add(self, row: dict[str, Any]) -> None:
        self.size += 1
        pickle.dump(row, self._kept, pickle.HIGHEST_PROTOCOL)
        self._suggestion.add(row["input"])
        if row["expected"] is not None:
            self.inference.add(row["expected"])

    def rows(self) -> Iterator[dict[str, Any]]:
        self._kept.seek(0)
        for _ in range(self.size):
            yield pickle.load(self._kept)  # noqa: S301 (our own rows, out of a file that has no name)

    @property
    def tag_fields(self) -> list[str]:
        return self._suggestion.fields()


def _check(read: Iterable[readers.Read], kept: IO[bytes]) -> _Checked:
    checked = _Checked(kept)
    problems: list[dict[str, Any]] = []
    bad = 0
    for item in read:
        if item.row is not None:
            checked.add(item.row)
        else:
            bad += 1
            if len(problems) < readers.MOST_PROBLEMS:
                problems.append(item.to_json())
        if checked.size > MAX_PAIRS:
            raise DomainError("too_many_rows", f"An import may have {MAX_PAIRS:,} pairs.", status=413)
    if bad:
        raise readers.refused(problems, bad, bad + checked.size)
    if not checked.size:
        raise DomainError("empty_import", "The file has no pairs.", status=422)
    return checked


def _begin(
    user: User, name: str, source_name: str, systems: tuple[str, str], checked: _Checked
) -> Comparison:
    """Create the comparison as failed, which is the right state if this process ends before the import does."""
    _clear_interrupted(name)
    try:
        with transaction.atomic():
            first, second = (_system(user, system) for system in systems)
            prompt_set = PromptSet.objects.create(
                name=name,
                source=f"imported with its responses from {source_name}"[:300],
                size=checked.size,
                field_rules=to_json(checked.inference.declared()),
                created_by=user,
            )
            comparison = Comparison.objects.create(
                kind=Job.Kind.GENERATION,
                status=Job.Status.FAILED,
                finished_at=timezone.now(),
                error_code=_INCOMPLETE,
                error_message="The import was interrupted; import the file again under the same name.",
                name=name,
                prompt_set=prompt_set,
                baseline=first,
                engine=Comparison.IMPORT,
                decoding={},
                heartbeat_at=timezone.now(),
                created_by=user,
            )
            ComparisonCandidate.objects.create(comparison=comparison, model=second)
            return comparison
    except IntegrityError:
        if not PromptSet.objects.filter(name=name).exists():
            raise
        raise DomainError("name_taken", f"Another prompt set is already called {name}.") from None


def _system(user: User, name: str) -> ModelVersion:
    """The model with this name, of any kind; creates an external system if there is none."""
    if not 0 < len(name) <= 100:
        raise DomainError("invalid_name", "A system's name has 1 to 100 characters.", status=400)
    system, _ = ModelVersion.objects.get_or_create(
        name=name,
        defaults={"kind": ModelVersion.Kind.EXTERNAL, "path": "", "weights_hash": "", "created_by": user},
    )
    return system


def _clear_interrupted(name: str) -> None:
    """Remove an interrupted import, to allow another try. An import that is still active is kept, with its name."""
    quiet = timezone.now() - _QUIET
    mine = Comparison.objects.filter(prompt_set__name=name, error_code=_INCOMPLETE)
    for comparison in mine.filter(heartbeat_at__lt=quiet):
        _forget(comparison)


def remove(comparison: Comparison) -> None:
    """Remove an import, for a caller that could not complete what it was for. Nothing else may use it."""
    _forget(comparison)


def _forget(comparison: Comparison) -> None:
    with transaction.atomic():
        prompt_set = comparison.prompt_set
        comparison.pairs.all().delete()
        comparison.responses.all().delete()
        comparison.delete()
        prompt_set.delete()


def _store(
    comparison: Comparison, stored: ComparisonRow, batch: _Batch, judged: list[list[Scored]]
) -> list[PairRow]:
    prompts = bulk_rows.insert(
        Prompt,
        {"prompt_set_id": comparison.prompt_set_id, "messages": [], "tools": []},
        ("key", "instruction", "input", "expected", "tags"),
        [
            (row["id"], row["instruction"], row["input"], row["expected"], own)
            for row, own in zip(batch.rows, batch.tagged, strict=True)
        ],
    )
    tags.store(comparison.prompt_set, zip(prompts, batch.tagged, strict=True))
    rows = [
        PairRow(prompt, own, *_sides(row, scores))
        for prompt, row, own, scores in zip(prompts, batch.rows, batch.tagged, judged, strict=True)
    ]
    first = _responses(
        comparison, comparison.baseline, batch.rows, "baseline", [(row.prompt, row.baseline) for row in rows]
    )
    second = _responses(
        comparison,
        comparison.candidate,
        batch.rows,
        "candidate",
        [(row.prompt, row.candidate) for row in rows],
    )
    pairs = bulk_rows.insert(
        Pair,
        {"comparison_id": comparison.pk, "candidate_model_id": comparison.candidate.pk, "sample": 0},
        ("prompt_id", "baseline_response_id", "candidate_response_id", "score_change"),
        [
            (row.prompt, one, other, score_change(row))
            for row, one, other in zip(rows, first, second, strict=True)
        ],
    )
    bulk_rows.insert(
        FieldChange,
        {"figures_id": stored.pk},
        ("pair_id", "field", "change"),
        [
            (pair, field, change)
            for pair, row in zip(pairs, rows, strict=True)
            for field, change in figures.changes_of(row).items()
        ],
    )
    return rows


def _sides(row: dict[str, Any], judged: list[Scored]) -> list[SideRow]:
    cells = [row[side] for side in SIDES]
    return [
        SideRow(*scores, each["output_tokens"], each["latency_ms"], each["finish_reason"])
        for scores, each in zip(judged, cells, strict=True)
    ]


def _responses(
    comparison: Comparison,
    model: ModelVersion,
    batch: list[dict[str, Any]],
    side: str,
    judged: list[tuple[int, SideRow]],
) -> list[int]:
    return bulk_rows.insert(
        Response,
        {"comparison_id": comparison.pk, "model_id": model.pk, "sample": 0, "batch_size": None},
        (
            *("prompt_id", "text", "input_tokens", "match", "measures"),
            *("output_tokens", "batch_latency_ms", "finish_reason"),
        ),
        [
            (prompt, row[side]["text"], row[side]["input_tokens"], *values)
            for row, (prompt, values) in zip(batch, judged, strict=True)
        ],
    )
