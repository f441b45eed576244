"""Uploading a dataset: every row is checked and named when wrong; a version is stored whole or not at all."""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max

from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from training.models import Dataset
from training.services.rows import SPLITS, ColumnMapping, read

MAX_REPORTED_PROBLEMS = 1000


@dataclass
class Check:
    """The outcome of reading a file: the good rows on disk, the bad ones by line."""

    folder: Path
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    problems: list[dict[str, Any]] = field(default_factory=list)
    good_rows: int = 0
    bad_rows: int = 0
    content_hash: str = ""

    def refuse(self, line: int, message: str) -> None:
        self.bad_rows += 1
        if len(self.problems) < MAX_REPORTED_PROBLEMS:
            self.problems.append({"line": line, "message": message})


def create(
    *,
    user: User,
    name: str,
    file: IO[bytes],
    source_name: str,
    mapping: ColumnMapping | None = None,
    validation_share: float = 0.1,
    description: str = "",
) -> Dataset:
    """Check `file` (JSON lines, or CSV with `mapping`) and store it as the next version of `name`.

    The same content under the same name answers with the version that is already there. Raises DomainError
    `invalid_rows` listing each bad row with its line; then nothing is stored.
    """
    if not 0 < validation_share < 1:
        raise DomainError("invalid_split", "The validation share must lie between 0 and 1.", status=400)
    with _incoming() as scratch:
        check = _check(file, source_name, mapping, validation_share, scratch)
        if check.bad_rows:
            raise DomainError(
                "invalid_rows",
                f"{check.bad_rows:,} of {check.bad_rows + check.good_rows:,} rows cannot be used and nothing was "
                f"stored; {check.good_rows:,} rows are good. Mend the listed lines and upload again.",
                status=422,
                problems=check.problems,
            )
        _require_both_splits(check)
        _keep(check)
    return _store(user=user, name=name, source_name=source_name, description=description, check=check)


@contextmanager
def _incoming() -> Iterator[Path]:
    """A scratch folder beside the stored datasets, gone afterwards; what the disk refuses is said in a sentence."""
    root = Path(settings.ARTEFACT_DIR) / "datasets"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=root, prefix=".incoming-", ignore_cleanup_errors=True
        ) as scratch:
            yield Path(scratch)
    except OSError as error:
        raise DomainError(
            "disk", f"The dataset could not be stored: {error.strerror or error}.", status=507
        ) from error


def _require_both_splits(check: Check) -> None:
    if not check.good_rows:
        raise DomainError("empty_dataset", "The file has no rows; upload at least two.", status=422)
    for split in SPLITS:
        if not check.counts[split]:
            raise DomainError(
                "empty_split",
                f"All {check.good_rows:,} rows fall outside the {split} split; add rows, change the validation "
                "share, or give each row a `split`.",
                status=422,
            )


def _keep(check: Check) -> None:
    """Move the finished folder to its place, at once; the same content may already be there under another name,
    and then only a file that got lost is put back."""
    target = check.folder.parent / check.content_hash
    try:
        check.folder.chmod(0o755)
        check.folder.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        for split in SPLITS:
            if not (target / f"{split}.jsonl").exists():
                (check.folder / f"{split}.jsonl").rename(target / f"{split}.jsonl")


def _store(*, user: User, name: str, source_name: str, description: str, check: Check) -> Dataset:
    try:
        with transaction.atomic():
            existing = Dataset.objects.filter(name=name, content_hash=check.content_hash).first()
            if existing is not None:
                return existing
            latest = Dataset.objects.filter(name=name).aggregate(latest=Max("version"))["latest"] or 0
            dataset = Dataset.objects.create(
                name=name,
                version=latest + 1,
                content_hash=check.content_hash,
                source_name=source_name[:255],
                train_rows=check.counts["train"],
                validation_rows=check.counts["validation"],
                description=description,
                created_by=user,
            )
            audit.record(actor=user, action="dataset.create", target=dataset, rows=check.good_rows)
            return dataset
    except IntegrityError:
        raise DomainError(
            "dataset_race", "Somebody stored a version of this dataset at the same moment; upload again."
        ) from None


def _check(
    file: IO[bytes], source_name: str, mapping: ColumnMapping | None, validation_share: float, folder: Path
) -> Check:
    """Read the rows once into one scratch file, then deal them into the two splits."""
    check = Check(folder)
    wanted: list[tuple[str, float]] = []
    scratch = folder / "rows.jsonl"
    with scratch.open("wb") as out:
        for row in read(file, source_name, mapping):
            if row.example is None:
                check.refuse(row.line, row.problem)
                continue
            check.good_rows += 1
            if check.good_rows > settings.UPLOAD_MAX_ROWS:
                raise DomainError(
                    "too_many_rows", f"A dataset may have {settings.UPLOAD_MAX_ROWS:,} rows.", status=413
                )
            out.write(json.dumps(row.example, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
            wanted.append((row.split, _draw(row.example["id"])))
    if not check.bad_rows:
        _deal(check, scratch, wanted, validation_share)
    scratch.unlink()
    return check


def _draw(example_id: str) -> float:
    """A number in [0, 1) that depends on nothing but the row's id: adding rows hardly moves the others."""
    return int.from_bytes(hashlib.sha256(example_id.encode()).digest()[:8], "big") / 2**64


def _deal(check: Check, rows: Path, wanted: list[tuple[str, float]], validation_share: float) -> None:
    """Honour explicit splits; of the other rows exactly the asked-for share, by lowest draw, goes to validation."""
    free = sorted(draw for split, draw in wanted if not split)
    size = round(len(free) * validation_share)
    threshold = free[size] if size < len(free) else 1.0
    digest = hashlib.sha256()
    with (
        rows.open("rb") as lines,
        (check.folder / "train.jsonl").open("wb") as train,
        (check.folder / "validation.jsonl").open("wb") as validation,
    ):
        out = {"train": train, "validation": validation}
        for line, (asked, draw) in zip(lines, wanted, strict=True):
            split = asked or ("validation" if draw < threshold else "train")
            out[split].write(line)
            digest.update(split.encode() + b" " + line)
            check.counts[split] += 1
    check.content_hash = digest.hexdigest()
