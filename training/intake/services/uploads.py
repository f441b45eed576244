"""Uploads: a file is stored once, previewed and mapped as often as needed, and then becomes a dataset."""

import shutil
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from training.intake.checking import Tell, Wishes, silent
from training.intake.column_mapping import ColumnMapping
from training.intake.layouts import Layout, recognise, refuse_preferences
from training.intake.readers import open_source, plain
from training.intake.readers.lines import Cells, RowError, Unreadable, too_large
from training.intake.rows import ReadRow, Rows, columns_of
from training.intake.schemas import DIALECT, Inference, Schema
from training.intake.services import datasets
from training.models import Dataset, DatasetImport, Upload

_PIECE = 2**20
_FIRST_ROWS = 5
_RECOGNISED_BY = 20
_LOOKED_AT = 5_000
MAX_COLUMNS = 100


@dataclass(frozen=True)
class Look:
    """The beginning of a file: column names, first rows (or their problems), the suggested mapping (None when the rows
    need none), what the rows were recognised as and why, and how the file is read."""

    columns: list[str]
    rows: list[Cells]
    problems: list[dict[str, Any]]
    proposal: ColumnMapping | None
    layout: Layout
    source: dict[str, Any]

    @property
    def caution(self) -> str:
        """Why these rows are not what a dataset holds; "" if they are."""
        try:
            refuse_preferences(self.layout)
        except DomainError as error:
            return error.detail
        return ""


@dataclass
class Preview:
    """The beginning of a file under a mapping: examples, problems, and the schema of the outputs so far; `whole` when
    that was the entire file."""

    examples: list[dict[str, Any]] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)
    rows: int = 0
    bad_rows: int = 0
    schema: Schema = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)
    whole: bool = False

    @property
    def without_input(self) -> bool:
        """Whether the model is given only the instruction."""
        return bool(self.examples) and not any(example.get("input", True) for example in self.examples)


def stage(*, user: User, name: str, file: IO[bytes], source_name: str) -> Upload:
    """Store `file` for its owner until it expires. Raises DomainError: `too_large`, `disk`, and the errors of
    `detect` for unsupported files."""
    content, facts = plain(file, source_name)
    now = timezone.now()
    upload = Upload(
        name=name,
        source_name=source_name[:255],
        format=facts.format,
        facts={"packed": facts.packed, "encoding": facts.encoding},
        created_by=user,
        expires_at=now + timedelta(hours=settings.UPLOAD_KEEP_HOURS),
    )
    try:
        upload.folder.mkdir(parents=True)
        upload.size_bytes = _copy(content, upload)
        upload.save()
    except OSError as error:
        shutil.rmtree(upload.folder, ignore_errors=True)
        said = f"The file could not be stored: {error.strerror or error}."
        raise DomainError("disk", said, status=507) from error
    except DomainError:
        shutil.rmtree(upload.folder, ignore_errors=True)
        raise
    return upload


def _copy(file: IO[bytes], upload: Upload) -> int:
    size = 0
    file.seek(0)
    with upload.file.open("xb") as out:
        while piece := file.read(_PIECE):
            size += len(piece)
            if size > settings.UPLOAD_MAX_BYTES:
                raise too_large()
            out.write(piece)
    return size


def sweep() -> int:
    """Remove expired uploads, files first, and remains of killed processes; returns the number of uploads removed. An
    upload that is being checked is kept."""
    now = timezone.now()
    datasets.sweep_scratch(before=(now - timedelta(hours=settings.UPLOAD_KEEP_HOURS)).timestamp())
    busy = DatasetImport.objects.exclude(status__in=DatasetImport.TERMINAL)
    expired = list(Upload.objects.filter(expires_at__lte=now).exclude(pk__in=busy.values("upload"))[:100])
    for upload in expired:
        shutil.rmtree(upload.folder, ignore_errors=True)
        upload.delete()
    return len(expired)


def look(upload: Upload) -> Look:
    """The first rows, unmapped. Raises DomainError for a file that cannot be read at all."""
    rows, problems = [], []
    with opened(upload) as file:
        source = open_source(file, upload.source_name, is_plain=True)
        for line, parse in islice(source.rows, _RECOGNISED_BY):
            try:
                rows.append({name: _shown(cell) for name, cell in parse().items()})
            except RowError as error:
                problems.append({"line": line, "message": str(error)})
    columns = columns_of(source, rows)
    if len(columns) > MAX_COLUMNS:
        said = f"The file has {len(columns):,} columns. At most {MAX_COLUMNS} are allowed."
        raise DomainError("too_many_columns", said, status=422)
    layout = recognise(columns, rows)
    facts = source.facts.to_json() | {name: value for name, value in upload.facts.items() if value}
    return Look(columns, rows[:_FIRST_ROWS], problems[:_FIRST_ROWS], layout.mapping, layout, facts)


def _shown(cell: Any) -> Any:
    return f"({cell.why})" if isinstance(cell, Unreadable) else cell


def preview(upload: Upload, mapping: ColumnMapping | None) -> Preview:
    """The first rows as examples, and the schema of the outputs of up to 5,000 rows."""
    made, outputs = Preview(whole=True), Inference()
    with opened(upload) as file:
        source = Rows(file, upload.source_name, mapping, is_plain=True)
        for row in source.read():
            if made.rows == _LOOKED_AT:
                made.whole = False
                break
            made.rows += 1
            _note(made, row)
            if row.example is not None:
                outputs.add(row.example["output"])
    made.source = source.facts()
    made.schema = {"$schema": DIALECT, **outputs.schema()}
    return made


def _note(made: Preview, row: ReadRow) -> None:
    if row.example is not None:
        if len(made.examples) < _FIRST_ROWS:
            made.examples.append(row.example)
        return
    made.bad_rows += 1
    if len(made.problems) < _FIRST_ROWS:
        made.problems.append({"line": row.line, "field": row.field, "message": row.problem})


def opened(upload: Upload) -> IO[bytes]:
    """The stored file. Raises DomainError `upload_gone`."""
    try:
        return upload.file.open("rb")
    except OSError:
        raise DomainError(
            "upload_gone", "The uploaded file is no longer available. Upload it again.", status=410
        ) from None


def make_dataset(*, user: User, upload: Upload, name: str, wishes: Wishes, tell: Tell = silent) -> Dataset:
    """The dataset of an upload, as `datasets.create` makes it. Repeating the call returns the same dataset. All
    problems are stored beside the file for download."""
    if upload.dataset is not None:
        return upload.dataset
    try:
        with opened(upload) as file:
            made = datasets.create(
                user=user,
                name=name,
                file=file,
                source_name=upload.source_name,
                mapping=wishes.mapping,
                validation_share=wishes.validation_share,
                test_share=wishes.test_share,
                schema=wishes.schema,
                skip_bad_rows=wishes.skip_bad_rows,
                report=upload.report,
                read_before=upload.facts,
                tell=tell,
            )
    except DomainError as error:
        if error.code == "invalid_rows":
            error.extra = report_facts(upload, listed=len(error.problems))
        raise
    with transaction.atomic():
        Upload.objects.filter(pk=upload.pk).update(dataset=made)
    upload.file.unlink(missing_ok=True)
    return made


def report_facts(upload: Upload, *, listed: int) -> dict[str, Any]:
    """Whose report it is, and how many problems exceed the listed ones; each reason is one line in the report."""
    with upload.report.open("rb") as report:
        return {"upload": str(upload.pk), "more": max(0, sum(1 for _ in report) - 1 - listed)}


def report_of(upload: Upload) -> Path:
    """The CSV of all problems of the last check. Raises DomainError if there is none."""
    if not upload.report.is_file():
        said = "This file has not been checked yet. Check it first."
        raise DomainError("no_report", said, status=404)
    return upload.report
