"""Pages and downloads of comparisons: overview, pairs, and one prompt in full."""

import uuid
from typing import Any

from django.http import Http404, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from evaluation import access
from evaluation.comparison import exports, markdown, text_files
from evaluation.comparison.charts import fields_chart
from evaluation.comparison.document import ComparisonDocument
from evaluation.comparison.selectors import pair_table, responses
from evaluation.comparison.selectors.comparison_document import comparison_document, open_comparison
from evaluation.comparison.selectors.pair_document import marked, pair_document
from evaluation.models import Comparison, Pair
from evaluation.scoring.matching.difference import Piece
from ftplatform.accounts.permissions import Staff, StaffRequest, roles
from ftplatform.csv_export import csv_response
from ftplatform.key_pages import KeyPaginator
from ftplatform.standalone_page import standalone

PAGE = 25
_EXPORTS = (("md", "Markdown"), ("html", "HTML"), ("json", "JSON"), ("csv", "CSV"))
_PAIR_COLUMNS = (
    *("pair", "prompt", "sample", "score_change", "baseline_score", "candidate_score"),
    *("baseline_exact", "candidate_exact", "baseline_json", "candidate_json"),
    *("baseline_output_tokens", "candidate_output_tokens"),
    *("baseline_latency_ms", "candidate_latency_ms", "tags"),
)


def figures_context(request: StaffRequest, comparison: Comparison) -> dict[str, Any]:
    """Template context for the figures of a finished comparison."""
    candidate = responses.candidate(comparison=comparison, pk=request.GET.get("candidate"))
    filters = _filters(request)
    pairs = pair_table.pairs(user=request.user, comparison=comparison, candidate=candidate, **filters)
    document = comparison_document(comparison, candidate)
    page = KeyPaginator(pairs, PAGE).get_page(request.GET.get("page"))
    return {
        "candidate": candidate,
        "document": document,
        "fields_chart": fields_chart(document) if document else None,
        "filters": _filter_choices(document, filters),
        "filtered": any(filters.values()),
        "exports": _EXPORTS if document else (),
        "page_obj": page,
        "pairs": pair_table.table(page.object_list, comparison),
    }


def _filters(request: StaffRequest) -> dict[str, str]:
    return {name: request.GET.get(name, "") for name in pair_table.FILTERS}


def _filter_choices(document: ComparisonDocument | None, chosen: dict[str, str]) -> list[dict[str, Any]]:
    """The filters above the pairs table. A comparison without figures has no fields and no slices."""
    fields = [(figure.name, figure.name) for figure in document.fields] if document else []
    offered = (
        ("change", "Change", "Any", [("worse", "Worse"), ("better", "Better"), ("same", "Same")]),
        ("field", "Field", "Any", fields),
        ("tag", "Slice", "All", document.slice_names if document else []),
        ("order", "Order", "As in the prompt set", [("worst", "Regressions first")]),
    )
    return [
        {"name": name, "label": label, "any": no_choice, "options": options, "chosen": chosen[name]}
        for name, label, no_choice, options in offered
        if options
    ]


@roles(*Staff)
@require_GET
def comparison_file(request: StaffRequest, pk: uuid.UUID, kind: str) -> HttpResponseBase:
    comparison = access.comparison(user=request.user, pk=pk)
    candidate = responses.candidate(comparison=comparison, pk=request.GET.get("candidate"))
    document = open_comparison(user=request.user, comparison=comparison, candidate=candidate)
    if kind == "csv":
        return csv_response("comparison.csv", exports.FIGURE_COLUMNS, exports.figure_lines(document))
    if kind == "html":
        content = {"document": document, "fields_chart": fields_chart(document)}
        return _download(standalone("evaluation/export/comparison.html", content), "comparison.html")
    if kind == "md":
        return _download(markdown.overview(document), "comparison.md", "text/markdown")
    return _json(exports.comparison_json(document), kind, "comparison.json")


@roles(*Staff)
@require_GET
def pairs_csv(request: StaffRequest, pk: uuid.UUID) -> StreamingHttpResponse:
    """All pairs that match the page's filters, one per row, without texts."""
    comparison = access.comparison(user=request.user, pk=pk)
    candidate = responses.candidate(comparison=comparison, pk=request.GET.get("candidate"))
    pairs = pair_table.pairs(
        user=request.user, comparison=comparison, candidate=candidate, **_filters(request)
    )
    lines = (_pair_line(pair) for pair in pairs.iterator(chunk_size=1000))
    return csv_response("pairs.csv", _PAIR_COLUMNS, lines)


@roles(*Staff)
@require_GET
def pair_texts(request: StaffRequest, pk: uuid.UUID, kind: str) -> HttpResponseBase:
    """All pairs of a candidate with their texts, as a file that can be imported again."""
    comparison = access.comparison(user=request.user, pk=pk)
    candidate = responses.candidate(comparison=comparison, pk=request.GET.get("candidate"))
    chosen = responses.pairs(user=request.user, comparison=comparison, candidate=candidate)
    return text_files.pairs(chosen, kind)


@roles(*Staff)
@require_GET
def pair(request: StaffRequest, pk: uuid.UUID, pair: int) -> HttpResponse:
    comparison = access.comparison(user=request.user, pk=pk)
    shown = responses.pair(user=request.user, comparison=comparison, pk=pair)
    content = _pair_context(comparison, shown) | {
        "comparison": comparison,
        "pair": shown,
        "exports": _EXPORTS,
    }
    return render(request, "evaluation/comparison/pair.html", content)


@roles(*Staff)
@require_GET
def pair_file(request: StaffRequest, pk: uuid.UUID, pair: int, kind: str) -> HttpResponseBase:
    comparison = access.comparison(user=request.user, pk=pk)
    shown = responses.pair(user=request.user, comparison=comparison, pk=pair)
    if kind == "html":
        return _download(
            standalone("evaluation/export/pair.html", _pair_context(comparison, shown)), "pair.html"
        )
    document = pair_document(comparison=comparison, pair=shown)
    if kind == "csv":
        return csv_response("pair.csv", exports.FIELD_COLUMNS, exports.field_lines(document))
    if kind == "md":
        return _download(markdown.single(document), "pair.md", "text/markdown")
    return _json(exports.pair_json(document), kind, "pair.json")


def _pair_context(comparison: Comparison, shown: Pair) -> dict[str, Any]:
    document = pair_document(comparison=comparison, pair=shown)
    responses = document.responses
    pieces = marked(*(response.text for response in responses))
    sides = [{"text": _marked_text(side["pieces"]), "cut": side["cut"]} for side in pieces]
    return {"document": document, "responses": list(zip(responses, sides, strict=True))}


def _marked_text(pieces: list[Piece]) -> SafeString:
    """A response with the words marked that the other side lacks."""
    tagged = (("mark" if piece.differs and piece.text.strip() else "span", piece.text) for piece in pieces)
    return format_html_join("", "<{0}>{1}</{0}>", tagged)


def _json(content: dict[str, Any], kind: str, name: str) -> HttpResponse:
    if kind != "json":
        raise Http404
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return JsonResponse(content, json_dumps_params={"indent": 2, "ensure_ascii": False}, headers=headers)


def _download(text: str, name: str, content_type: str = "text/html") -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type=f"{content_type}; charset=utf-8", headers=headers)


def _pair_line(pair: Pair) -> list[Any]:
    first, second = pair.baseline_response, pair.candidate_response
    matches = [side.match or {} for side in (first, second)]
    return [
        pair.pk, pair.prompt.key, pair.sample, pair.score_change,
        *(match.get("score") for match in matches), *(match.get("exact") for match in matches),
        *(match.get("json_status") for match in matches),
        first.output_tokens, second.output_tokens, first.batch_latency_ms, second.batch_latency_ms,
        "; ".join(f"{name}={value}" for name, value in pair.prompt.tags.items()),
    ]  # fmt: skip
