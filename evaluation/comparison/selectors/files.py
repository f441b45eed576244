"""The beginning of an uploaded file of prompts or pairs, as its rows would be read."""

from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from evaluation.comparison import readers
from ftplatform.errors import DomainError
from training.models import SavedMapping, Upload

_LOOKED_AT, _SHOWN = 200, 3


@dataclass
class FilePreview:
    """The first valid rows, the first problems, and the error of the whole file."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""


def preview(upload: Upload, kind: str, columns: readers.Columns) -> FilePreview:
    """The first rows of the file under `columns`; `kind` is that of a saved mapping."""
    found = FilePreview()
    try:
        with upload.file.open("rb") as file:
            if kind == SavedMapping.Kind.PAIRS:
                rows = readers.pairs(file, upload.source_name, columns)
            else:
                rows = readers.prompts(file, upload.source_name, None, columns)
            for row in islice(rows, _LOOKED_AT):
                if row.row is None:
                    found.problems.append(row.to_json())
                else:
                    found.rows.append(row.row)
    except OSError:
        found.error = "The uploaded file is no longer available. Upload it again."
    except DomainError as error:
        found.error = error.detail
    return FilePreview(found.rows[:_SHOWN], found.problems[:_SHOWN], found.error)
