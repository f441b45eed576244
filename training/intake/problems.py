"""Problems in the rows of a file: counted, written to a CSV on disk, and the first ones kept in memory."""

import csv
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ftplatform.csv_export import safe_cell

COLUMNS = ("line", "field", "reason")
SHOWN = 1000


class ProblemLog:
    """Problems of one file, by line. All are written to the optional `report`; `shown` has the first ones."""

    def __init__(self, report: Path | None = None) -> None:
        self.rows = 0
        self.count = 0
        # Numbers of rows that were found to be invalid only after they had been stored.
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
        """Record one bad row, with the (field, reason) of each problem; the field may be empty."""
        self.rows += 1
        for field, said in reasons:
            reason = " ".join(said.split())
            self.count += 1
            if len(self.shown) < SHOWN:
                problem = {"line": line, "message": reason}
                self.shown.append(problem | {"field": field} if field else problem)
            if self._writer:
                # The apostrophe keeps spreadsheets from executing text of an untrusted file as a formula.
                self._writer.writerow([line, safe_cell(field), safe_cell(reason)])
