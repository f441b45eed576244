"""Prompts and pairs with their texts, as files that the imports read back.

JSONL and Parquet keep every text as it is. In CSV, a text that a spreadsheet would run as a formula begins with an
apostrophe.
"""

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from django.db.models import QuerySet
from django.http import FileResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from evaluation.comparison.document import SIDES
from evaluation.comparison.row_fields import MOST_TAG_NAME, MOST_TAGS
from evaluation.models import Pair, Prompt, PromptSet
from ftplatform.csv_export import csv_response
from ftplatform.errors import DomainError

KINDS = ("jsonl", "csv", "parquet")
PROMPT_COLUMNS = ("id", "prompt", "input", "messages", "tools", "expected", "tags")
_NUMBERS = {"input_tokens": pa.int64(), "output_tokens": pa.int64(), "latency_ms": pa.float64()}
PAIR_COLUMNS = (
    *PROMPT_COLUMNS,
    *SIDES,
    *(f"{side}_{figure}" for side in SIDES for figure in (*_NUMBERS, "finish_reason")),
)
_AT_ONCE = 1000

Row = dict[str, Any]


def prompts(prompt_set: PromptSet, kind: str) -> HttpResponseBase:
    """All prompts as a download. Raises DomainError `unknown_format`."""
    rows = map(_prompt, prompt_set.prompts.iterator(chunk_size=_AT_ONCE))
    return _download("prompts", kind, PROMPT_COLUMNS, rows)


def pairs(chosen: QuerySet[Pair], kind: str) -> HttpResponseBase:
    """Pairs with both responses as a download. Raises DomainError `unknown_format`."""
    return _download("pairs-with-texts", kind, PAIR_COLUMNS, pair_rows(chosen))


def pair_rows(chosen: QuerySet[Pair]) -> Iterator[Row]:
    """One row per pair; fields without a value are left out."""
    related = chosen.select_related("prompt", "baseline_response", "candidate_response")
    return map(_pair, related.iterator(chunk_size=_AT_ONCE))


def jsonl(rows: Iterable[Row]) -> Iterator[str]:
    return (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _download(name: str, kind: str, columns: Sequence[str], rows: Iterator[Row]) -> HttpResponseBase:
    if kind == "csv":
        return csv_response(f"{name}.csv", columns, (_cells(row, columns) for row in rows))
    if kind == "jsonl":
        headers = {"Content-Disposition": f'attachment; filename="{name}.jsonl"'}
        return StreamingHttpResponse(jsonl(rows), content_type="application/x-ndjson", headers=headers)
    if kind != "parquet":
        said = f"There is no {kind!r} here; choose {', '.join(KINDS)}."
        raise DomainError("unknown_format", said, status=404)
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the response closes it)
    _write_parquet(file, columns, rows)
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=f"{name}.parquet")


def _write_parquet(file: IO[bytes], columns: Sequence[str], rows: Iterator[Row]) -> None:
    types = {f"{side}_{figure}": kind for side in SIDES for figure, kind in _NUMBERS.items()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in columns])
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while group := list(islice(rows, _AT_ONCE)):
            cells = zip(*(_cells(row, columns) for row in group), strict=True)
            arrays = [pa.array(column, type=field.type) for column, field in zip(cells, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _cells(row: Row, columns: Sequence[str]) -> list[Any]:
    """The row of a table: objects and lists as JSON text."""
    values = (row.get(name) for name in columns)
    return [
        json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value for value in values
    ]


def _prompt(prompt: Prompt) -> Row:
    tags = {name: value for name, value in prompt.tags.items() if len(name) <= MOST_TAG_NAME}
    row = {
        "id": prompt.key,
        "prompt": prompt.instruction,
        "input": prompt.input,
        "messages": prompt.messages,
        "tools": prompt.tools,
        "expected": prompt.expected,
        "tags": dict(list(tags.items())[:MOST_TAGS]),
    }
    return {name: value for name, value in row.items() if value not in (None, "", [], {})}


def _pair(pair: Pair) -> Row:
    row = _prompt(pair.prompt)
    if pair.sample:
        row["id"] = f"{pair.prompt.key[:190]} #{pair.sample + 1}"
    for side in SIDES:
        response = pair.response(side)
        figures = {
            "input_tokens": response.input_tokens,
            "output_tokens": response.output_tokens,
            "latency_ms": response.batch_latency_ms,
            "finish_reason": response.finish_reason,
        }
        row |= {side: response.text}
        row |= {f"{side}_{name}": value for name, value in figures.items() if value is not None}
    return row
