"""What a base model's tokenizer makes of a dataset: `python -m worker.ml.measure JOB.json`.

Every row is rendered and tokenised by the very functions that training uses, one at a time: memory stays flat. The
result says how long the rows are, which are the longest, which could not be trained on, and shows some of them token
by token with the trained ones marked.
"""

import heapq
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from worker.ml.chat import rendering, template_hash
from worker.ml.data import Row, TokenisedRow, control_tokens, render_for, row_of, tokenise_rows
from worker.ml.errors import MlError
from worker.ml.models import inspect_base, load_tokenizer, resolve_base, stop_ids
from worker.ml.protocol import Reporter, run_command

LONGEST = 1000
_PROBLEMS = 100
_PREVIEWED_ROWS = 3
_PREVIEWED_TOKENS = 1200
_REPORT_EVERY = 200
# What one row may be refused for; the others are measured.
_ROW_PROBLEMS = (
    *("control_token_in_text", "data_invalid", "template_drops_text", "template_failed"),
    *("template_inconsistent", "template_without_end", "tools_unsupported"),
)


class MeasureJob(BaseModel):
    """The job file: a base model and the files of the splits by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_model: str
    files: dict[str, Path]
    rows: int


def main(reporter: Reporter, raw_job: dict[str, Any]) -> None:
    """Run one job; emits stage and progress, and at last done with the result."""
    try:
        job = MeasureJob.model_validate(raw_job)
    except ValidationError as error:
        raise MlError("job_invalid", f"The job file is not valid: {error.errors()[0]['msg']}.") from error
    with reporter.quiet_stage("checking the base model"):
        path = resolve_base(job.base_model)
        base = inspect_base(path)
        tokenizer = load_tokenizer(path, embedding_rows=base["vocab"])
        ends = stop_ids(tokenizer, path)
        render_for((row for _, row in _rows(job.files["train"])), tokenizer)
    reporter.stage("measuring rows")
    measured = {}
    done = 0
    for split, file in job.files.items():
        lengths = Lengths()
        for number, row in _rows(file):
            lengths.add(row, number, tokenizer, ends)
            done += 1
            reporter.check_stop()
            reporter.alive()
            if done % _REPORT_EVERY == 0:
                reporter.progress(done, job.rows)
        measured[split] = lengths.result()
    result = {
        "template_hash": template_hash(tokenizer),
        "rendering": rendering(tokenizer).to_json(),
        "context": base["context"],
        "splits": measured,
        "preview": [
            preview(row, tokenizer, ends) | {"split": "train"}
            for row in previewed(job.files["train"], measured["train"]["longest"])
        ],
    }
    reporter.emit("done", result=result)


class Lengths:
    """Lengths in tokens of one split: how often each occurs, the longest rows, and rows that cannot be tokenised."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._longest: list[tuple[int, int, str]] = []
        self._problems: list[dict[str, Any]] = []
        self._bad = 0

    def add(self, row: Row, number: int, tokenizer: Any, ends: set[int]) -> None:
        try:
            (tokens,) = tokenise_rows([row], tokenizer, ends)
        except MlError as error:
            if error.code not in _ROW_PROBLEMS:
                raise
            self._bad += 1
            if len(self._problems) < _PROBLEMS:
                self._problems.append({"id": row.id, "code": error.code, "message": str(error)})
            return
        length = len(tokens.input_ids)
        self._counts[length] += 1
        # Of equally long rows the first are kept.
        item = (length, -number, row.id)
        if len(self._longest) < LONGEST:
            heapq.heappush(self._longest, item)
        else:
            heapq.heappushpop(self._longest, item)

    def result(self) -> dict[str, Any]:
        return {
            "counts": sorted(self._counts.items()),
            "longest": [
                {"id": name, "tokens": length} for length, _, name in sorted(self._longest, reverse=True)
            ],
            "bad_rows": self._bad,
            "problems": self._problems,
        }


def _rows(file: Path) -> Iterator[tuple[int, Row]]:
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                yield number, row_of(file, number, json.loads(line))
    except OSError as error:
        raise MlError("data_missing", f"The file {file} cannot be read: {error.strerror}.") from error


def previewed(file: Path, longest: list[dict[str, Any]]) -> list[Row]:
    """The first rows, and the longest of all."""
    wanted = longest[0]["id"] if longest else None
    shown: list[Row] = []
    for number, row in _rows(file):
        if number <= _PREVIEWED_ROWS or row.id == wanted:
            shown.append(row)
        if number >= _PREVIEWED_ROWS and wanted in {row.id for row in shown} | {None}:
            break
    return shown


def preview(row: Row, tokenizer: Any, ends: set[int]) -> dict[str, Any]:
    """The row as the model is trained on it: its tokens in order, each as [text, trained, special]. `trained` is 2 for
    a token that is trained only if all answers of a conversation are.

    The texts of a character that was split into several tokens show as the replacement sign.
    """
    try:
        (tokens,) = tokenise_rows([row], tokenizer, ends)
    except MlError as error:
        return {"id": row.id, "problem": str(error)}
    masks, note = _masks(row, tokens, tokenizer, ends)
    special = set(control_tokens(tokenizer, ends).by_id) | ends
    shown = [
        [tokenizer.decode([token], clean_up_tokenization_spaces=False), trained, int(token in special)]
        for token, trained in zip(tokens.input_ids, masks, strict=True)
    ]
    cut = max(0, len(shown) - _PREVIEWED_TOKENS)
    # The middle of a long prompt is left out: its beginning and all of the answer are what must be seen.
    kept = shown if not cut else shown[: _PREVIEWED_TOKENS // 2] + shown[-(_PREVIEWED_TOKENS // 2) :]
    shape = {"turns": len(row.turns) + 1, "note": note}
    return {"id": row.id, "length": len(shown), "left_out": len(shown) - len(kept), "tokens": kept} | shape


def _masks(row: Row, tokens: TokenisedRow, tokenizer: Any, ends: set[int]) -> tuple[list[int], str]:
    """The mask of the last answer, with 2 for what is trained of earlier answers; and why those cannot be trained."""
    try:
        (every,) = tokenise_rows([row], tokenizer, ends, trained="all")
    except MlError as error:
        return tokens.completion_mask, str(error)
    both = zip(tokens.completion_mask, every.completion_mask, strict=True)
    return [1 if last else 2 * any_ for last, any_ in both], ""


if __name__ == "__main__":
    sys.exit(run_command(main))
