"""Pages and downloads of comparisons: the overview, the pairs behind it, one prompt in full."""

import uuid
from collections.abc import Iterator
from typing import Any

from django.http import Http404, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from evaluation import access
from evaluation.comparison import charts, markdown
from evaluation.comparison.selectors import compared, responses
from evaluation.models import Comparison, Pair
from ftplatform.accounts.permissions import Staff, StaffRequest, roles
from ftplatform.csv_export import csv_response
from ftplatform.key_pages import KeyPaginator
from ftplatform.standalone_page import standalone

PAGE = 25
_FILTERS = ("change", "field", "tag", "order")
_CHANGES = (("worse", "Worse"), ("better", "Better"), ("same", "Same"))
_EXPORTS = (("md", "Markdown"), ("html", "HTML"), ("json", "JSON"), ("csv", "CSV"))
_FIGURE_COLUMNS = (
    *("section", "name", "unit", "better", "baseline", "candidate", "difference", "ci_low", "ci_high"),
    *("p_value", "p_adjusted", "method", "up", "same", "down", "n"),
)
_PAIR_COLUMNS = (
    *("pair", "prompt", "sample", "score_change", "baseline_score", "candidate_score"),
    *("baseline_exact", "candidate_exact", "baseline_json", "candidate_json"),
    *(
        "baseline_output_tokens",
        "candidate_output_tokens",
        "baseline_latency_ms",
        "candidate_latency_ms",
        "tags",
    ),
)


def context(request: StaffRequest, run: Comparison) -> dict[str, Any]:
    """What the page of a finished run shows of its comparison."""
    candidate = responses.candidate(run=run, pk=request.GET.get("candidate"))
    filters = {name: request.GET.get(name, "") for name in _FILTERS}
    pairs = compared.pairs(user=request.user, run=run, candidate=candidate, **filters)
    found = compared.comparison(run, candidate)
    return {
        "candidate": candidate,
        "comparison": found,
        "filters": filters,
        "filtered": any(filters.values()),
        "changes": _CHANGES,
        "exports": _EXPORTS,
        "page_obj": KeyPaginator(pairs, PAGE).get_page(request.GET.get("page")),
        "shown": charts.shown(found) if found else None,
    }


@roles(*Staff)
@require_GET
def comparison_file(request: StaffRequest, pk: uuid.UUID, kind: str) -> HttpResponseBase:
    run = access.comparison(user=request.user, pk=pk)
    candidate = responses.candidate(run=run, pk=request.GET.get("candidate"))
    found = compared.open_comparison(user=request.user, run=run, candidate=candidate)
    if kind == "csv":
        return csv_response("comparison.csv", _FIGURE_COLUMNS, _figure_lines(found))
    if kind == "html":
        content = {"comparison": found, "shown": charts.shown(found), "run": run, "candidate": candidate}
        return _download(standalone("evaluation/export/comparison.html", content), "comparison.html")
    return _text_or_json(found, kind, "comparison", markdown.overview)


@roles(*Staff)
@require_GET
def pairs_csv(request: StaffRequest, pk: uuid.UUID) -> StreamingHttpResponse:
    """Every pair that the same filters of the page leave, one line each, without the texts."""
    run = access.comparison(user=request.user, pk=pk)
    candidate = responses.candidate(run=run, pk=request.GET.get("candidate"))
    filters = {name: request.GET.get(name, "") for name in _FILTERS}
    found = compared.pairs(user=request.user, run=run, candidate=candidate, **filters)
    lines = (_pair_line(pair) for pair in found.iterator(chunk_size=1000))
    return csv_response("pairs.csv", _PAIR_COLUMNS, lines)


@roles(*Staff)
@require_GET
def pair(request: StaffRequest, pk: uuid.UUID, pair: int) -> HttpResponse:
    run = access.comparison(user=request.user, pk=pk)
    found = responses.pair(user=request.user, run=run, pk=pair)
    return render(request, "evaluation/comparison/pair.html", _pair_context(run, found))


@roles(*Staff)
@require_GET
def pair_file(request: StaffRequest, pk: uuid.UUID, pair: int, kind: str) -> HttpResponseBase:
    run = access.comparison(user=request.user, pk=pk)
    found = responses.pair(user=request.user, run=run, pk=pair)
    if kind == "html":
        content = _pair_context(run, found)
        return _download(standalone("evaluation/export/pair.html", content), "pair.html")
    document = compared.pair_document(run=run, pair=found)
    if kind == "csv":
        return csv_response("pair.csv", ("side", "field", "comparison", "expected", "status", "got", "similarity"),
                            _field_lines(document))  # fmt: skip
    return _text_or_json(document, kind, "pair", markdown.single)


def _pair_context(run: Comparison, found: Pair) -> dict[str, Any]:
    document = compared.pair_document(run=run, pair=found)
    sides = compared.marked(document["baseline"]["text"], document["candidate"]["text"])
    return {
        "run": run,
        "pair": found,
        "document": document,
        "sides": sides,
        "candidate": found.candidate_model,
    }


def _text_or_json(document: dict[str, Any], kind: str, name: str, text: Any) -> HttpResponse:
    if kind == "md":
        return _download(text(document), f"{name}.md", "text/markdown")
    if kind != "json":
        raise Http404
    headers = {"Content-Disposition": f'attachment; filename="{name}.json"'}
    return JsonResponse(document, json_dumps_params={"indent": 2, "ensure_ascii": False}, headers=headers)


def _download(text: str, name: str, content_type: str = "text/html") -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type=f"{content_type}; charset=utf-8", headers=headers)


def _figure_lines(document: dict[str, Any]) -> Iterator[list[Any]]:
    sections = (
        *((figure["group"], figure["name"], figure) for figure in document["metrics"]),
        *(("field", figure["name"], figure) for figure in document["fields"]),
        *(("slice", f"{figure['tag']}={figure['value']}", figure) for figure in document["slices"]),
        *(("safety", figure["check"], figure) for figure in document["safety"]),
    )
    for section, name, figure in sections:
        yield [section, name, *(figure.get(column) for column in _FIGURE_COLUMNS[2:])]


def _field_lines(document: dict[str, Any]) -> Iterator[list[Any]]:
    for row in document["fields"]:
        for side in compared.SIDES:
            found = row[side]
            yield [side, row["field"], row["comparison"], str(row["expected"]), found["status"],
                   None if found["got"] is None else str(found["got"]), found["similarity"]]  # fmt: skip


def _pair_line(pair: Pair) -> list[Any]:
    first, second = pair.baseline, pair.candidate
    matches = [side.match or {} for side in (first, second)]
    return [
        pair.pk, pair.prompt.key, pair.sample, pair.score_change,
        *(match.get("score") for match in matches), *(match.get("exact") for match in matches),
        *(match.get("json_status") for match in matches),
        first.output_tokens, second.output_tokens, first.batch_latency_ms, second.batch_latency_ms,
        "; ".join(f"{name}={value}" for name, value in pair.prompt.tags.items()),
    ]  # fmt: skip
