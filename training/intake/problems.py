"""What is wrong with the rows of a file: counted, all of it kept as CSV on disk, the first of it in hand."""

import csv
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ftplatform.csv_export import safe_cell

COLUMNS = ("line", "field", "reason")
SHOWN = 1000


class ProblemLog:
    """Problems of one file, by line; `report` (optional) receives every one of them, `shown` the first."""

    def __init__(self, report: Path | None = None) -> None:
        self.rows = 0
        self.count = 0
        # Numbers of rows that were found bad only after they had been written down.
        self.dropped: list[int] = []
        self.shown: list[dict[str, Any]] = []
        self._stream = report.open("w", encoding="utf-8", newline="") if report else None
        self._writer = csv.writer(self._stream, lineterminator="\r\n") if self._stream else None
        if self._writer:
            self._writer.writerow(COLUMNS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream:
            self._stream.close()

    def refuse(self, line: int, *reasons: tuple[str, str]) -> None:
        """One bad row, with (field, reason) of each thing that is wrong with it; the field may be empty."""
        self.rows += 1
        for field, said in reasons:
            reason = " ".join(said.split())
            self.count += 1
            if len(self.shown) < SHOWN:
                problem = {"line": line, "message": reason}
                self.shown.append(problem | {"field": field} if field else problem)
            if self._writer:
                # The apostrophe keeps a spreadsheet from running what a stranger's file says.
                self._writer.writerow([line, safe_cell(field), safe_cell(reason)])
