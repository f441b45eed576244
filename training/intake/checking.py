"""Check a file row by row and assign its valid rows to splits. Everything is on disk, so memory stays constant."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.template.defaultfilters import pluralize

from ftplatform.errors import DomainError
from training.intake import near_duplicates
from training.intake.column_mapping import ColumnMapping
from training.intake.problems import ProblemLog
from training.intake.rows import SPLITS, ReadRow, Rows
from training.intake.schemas import Checker, Inference, Schema
from training.intake.splits import Index


@dataclass(frozen=True)
class Wishes:
    """How a dataset is made from a file: column mapping, shares of the splits (of 1), the schema of the outputs
    (None: infer it from the rows), and whether bad rows are skipped or the file is refused."""

    mapping: ColumnMapping | None = None
    validation_share: float = 0.1
    test_share: float = 0.0
    schema: Schema | None = None
    skip_bad_rows: bool = False

    def require_valid(self) -> None:
        if not 0 < self.validation_share < 1:
            raise DomainError("invalid_split", "The validation share must be between 0 and 1.", status=400)
        if not 0 <= self.test_share < 1 or self.validation_share + self.test_share >= 1:
            said = "Validation and test rows together must leave rows to train on."
            raise DomainError("invalid_split", said, status=400)


@dataclass
class Checked:
    """The result: the split files in `folder`, and facts about them."""

    folder: Path
    schema: Schema
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    good_rows: int = 0
    content_hash: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


# Progress callback: the stage, and the completed part of the whole, from 0 to 1.
Tell = Callable[[str, float], None]
# Progress at the end of reading and of splitting, from timings with a file of two gigabytes.
_READ, _DEALT = 0.75, 0.9
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def silent(stage: str, part: float) -> None:
    """No progress reports, for a check that a request waits for."""


def check(
    file: IO[bytes],
    source_name: str,
    wishes: Wishes,
    folder: Path,
    problems: ProblemLog,
    tell: Tell = silent,
) -> Checked:
    """Read `file` once into a scratch file, then write its splits to `folder`.

    Raises DomainError: `invalid_rows` with a list of the bad ones, `empty_dataset`, `empty_split`, and errors about
    the whole file.
    """
    rows = folder / "rows.jsonl"
    with closing(Index(folder / "index.sqlite3")) as index:
        source = Rows(file, source_name, wishes.mapping)
        reading = source.read(index, lambda part: tell("Checking every row", _READ * min(part, 1)))
        schema = _read(reading, wishes, rows, index, problems)
        tell("Dealing rows into splits", _READ)
        index.link()
        _refuse_contradictions(index, problems)
        checked = Checked(folder, schema, good_rows=index.size - len(problems.dropped))
        if problems.rows and not wishes.skip_bad_rows:
            raise _invalid(problems, checked.good_rows)
        index.drop(problems.dropped)
        index.deal(wishes.validation_share, wishes.test_share)
        _write(checked, rows, index.splits(), tell)
        checked.facts |= index.facts()
        checked.facts |= {"mapping": source.mapping and source.mapping.to_json(), "source": source.facts()}
    rows.unlink()
    (folder / "index.sqlite3").unlink()
    _require_splits(checked)
    checked.facts["near_duplicates"] = near_duplicates.find(
        folder,
        checked.counts,
        lambda part: tell("Looking for near-duplicates", _DEALT + (1 - _DEALT) * part),
    )
    return checked


def _read(
    reading: Iterator[ReadRow], wishes: Wishes, rows: Path, index: Index, problems: ProblemLog
) -> Schema:
    """Store the valid rows and record the others; returns the given or inferred schema."""
    checker = Checker(wishes.schema) if wishes.schema is not None else None
    inferred = Inference()
    with rows.open("wb") as out:
        for row in reading:
            if row.example is None:
                problems.refuse(row.line, (row.field, row.problem))
                continue
            if checker and (wrong := list(checker.problems(row.example["output"]))):
                problems.refuse(row.line, *wrong)
                continue
            if index.size == settings.UPLOAD_MAX_ROWS:
                said = f"A dataset may have at most {settings.UPLOAD_MAX_ROWS:,} rows."
                raise DomainError("too_many_rows", said, status=413)
            if not checker:
                inferred.add(row.example["output"])
            out.write(_encode(row.example).encode() + b"\n")
            index.add(row.line, row.example, asked=row.split, group=row.group)
    return wishes.schema if wishes.schema is not None else inferred.schema()


def _refuse_contradictions(index: Index, problems: ProblemLog) -> None:
    for row, line, asked, given in index.contradictions():
        reason = (
            f"asks for {asked}, but an earlier row of its group or with the same prompt is in {given}. "
            f"The model would be tested on its training data."
        )
        problems.refuse(line, ("split", f"The row {reason}"))
        problems.dropped.append(row)


def _invalid(problems: ProblemLog, good: int) -> DomainError:
    return DomainError(
        "invalid_rows",
        f"{problems.rows:,} of {problems.rows + good:,} rows have errors, {good:,} are valid. Nothing was stored. "
        "Correct the listed lines and upload the file again, or import the valid rows only.",
        status=422,
        problems=problems.shown,
    )


def _write(checked: Checked, rows: Path, splits: Iterator[tuple[int, str]], tell: Tell) -> None:
    digest = hashlib.sha256()
    with (
        rows.open("rb") as lines,
        (checked.folder / "train.jsonl").open("wb") as train,
        (checked.folder / "validation.jsonl").open("wb") as validation,
        (checked.folder / "test.jsonl").open("wb") as test,
    ):
        out = {"train": train, "validation": validation, "test": test}
        numbered = enumerate(lines)
        for wanted, split in splits:
            if wanted % 1000 == 0:
                tell(
                    "Dealing rows into splits", _READ + (_DEALT - _READ) * wanted / max(checked.good_rows, 1)
                )
            line = next(line for number, line in numbered if number == wanted)
            out[split].write(line)
            digest.update(split.encode() + b" " + line)
            checked.counts[split] += 1
    digest.update(b"schema " + json.dumps(checked.schema, sort_keys=True).encode())
    checked.content_hash = digest.hexdigest()


def _require_splits(checked: Checked) -> None:
    if not checked.good_rows:
        raise DomainError(
            "empty_dataset", "The file has no rows. Check that it is the right file.", status=422
        )
    for split in ("train", "validation"):
        if not checked.counts[split]:
            raise DomainError(
                "empty_split",
                f"The {split} split would be empty: the file has {checked.good_rows:,} valid "
                f"row{pluralize(checked.good_rows)}. Add rows, change the shares, or give each row a `split`. "
                "Rows of one group and rows with the same prompt stay in one split.",
                status=422,
            )
