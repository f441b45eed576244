"""Charts of a report. They draw the frozen result; their texts come from the report document."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evaluation.report.document import ReportDocument
from evaluation.report.document.outcomes import MOST_SLICES
from evaluation.report.document.preference import OUTCOMES
from evaluation.report.document.stored import read
from evaluation.stats.report import Report
from evaluation.stats.summaries import SliceSummary
from ftplatform.charts import BASELINE, BOTH_BAD, CANDIDATE, INK, LINE, TIE, Figure, Spec, chart
from ftplatform.text.values import words

_COLOURS = (CANDIDATE, TIE, BOTH_BAD, BASELINE)
_ZERO: Spec = {"mark": {"type": "rule", "color": INK, "strokeDash": [4, 3]}}


def figures(
    document: ReportDocument, result: Mapping[str, Any], history: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Figure]:
    """Draw the document's charts by name. `history` holds the results of this and all earlier analyses."""
    report = read(result)
    groups = (result.get("provenance") or {}).get("criterion_groups") or {}
    draw: dict[str, Callable[[], Spec]] = {
        "preference": lambda: preference(report),
        "answers": lambda: answers(report),
        "criteria": lambda: criteria(report, groups),
        "outcomes": lambda: yes_no(report),
        "prompts": lambda: distribution(report),
        "slices": lambda: slices(report),
        "looks": lambda: looks([read(earlier) for earlier in history]),
    }
    return {
        one.name: Figure(one.name, one.title, draw[one.name](), one.alt, one.caption, one.columns, one.rows)
        for one in document.charts()
    }


def preference(report: Report) -> Spec:
    """Win score with its interval, the reference line at ½ and the band of differences inside the margin."""
    primary = report.primary
    margin = 100 * primary.margin
    rows = _row(primary.estimate, primary.ci_low, primary.ci_high, 100, what="win score")
    x = {"type": "quantitative", "scale": {"domain": [0, 100]}, "title": "win score of the candidate, %"}
    y = {"field": "what", "type": "nominal", "title": None, "axis": None}
    band = {"datum": 50 - margin, "type": "quantitative"}
    return chart(
        rows,
        width=560,
        height=56,
        layer=[
            {
                "mark": {"type": "rect", "color": LINE, "opacity": 0.7},
                "encoding": {"x": {**x, **band}, "x2": {"datum": 50 + margin}},
            },
            {**_ZERO, "encoding": {"x": {"datum": 50, **x}}},
            *_interval_and_point(x, y),
        ],
    )


def answers(report: Report) -> Spec:
    """Number of ratings with each answer, as one stacked bar."""
    primary = report.primary
    rows = [
        {"outcome": label, "ratings": getattr(primary, key), "order": place}
        for place, (key, _, label) in enumerate(OUTCOMES)
    ]
    scale = {"domain": [label for *_, label in OUTCOMES], "range": list(_COLOURS)}
    return chart(
        rows,
        width=560,
        height=32,
        mark={"type": "bar", "height": 24},
        encoding={
            "x": {"field": "ratings", "type": "quantitative", "stack": "zero", "title": "ratings"},
            "order": {"field": "order", "type": "quantitative"},
            "color": {"field": "outcome", "type": "nominal", "sort": None, "scale": scale},
        },
    )


def criteria(report: Report, groups: Mapping[str, str]) -> Spec:
    """Forest plot: mean difference of each criterion in points, with its interval, by group."""
    rows = [
        row
        for c in report.criteria
        for row in _row(c.difference, c.ci_low, c.ci_high, name=words(c.name), group=groups.get(c.name, ""))
    ]
    order = list(dict.fromkeys(row["group"] for row in rows))
    x = {"type": "quantitative", "title": "candidate − baseline, points", "axis": {"tickCount": 6}}
    y = {"field": "name", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 220}}
    layers = [
        {**_ZERO, "encoding": {"x": {"datum": 0, **x}}},
        *_interval_and_point(x, y),
    ]
    if len(order) > 1:
        # One panel per group, all on the same horizontal scale.
        header = {
            "labelAngle": 0,
            "labelAlign": "left",
            "labelOrient": "top",
            "labelAnchor": "start",
            "labelFontWeight": "bold",
            "title": None,
        }
        parts: dict[str, Any] = {
            "facet": {"row": {"field": "group", "type": "nominal", "sort": order, "header": header}},
            "spec": {"width": 440, "height": {"step": 32}, "layer": layers},
            "resolve": {"scale": {"y": "independent"}},
        }
    else:
        parts = {"width": 440, "height": {"step": 32}, "layer": layers}
    return chart(rows, **parts)


def yes_no(report: Report) -> Spec:
    """Difference in the share of "yes" for each outcome, with its interval, in percentage points."""
    rows = [
        row for o in report.yes_no for row in _row(o.difference, o.ci_low, o.ci_high, 100, name=words(o.name))
    ]
    return _forest(rows, x_title="candidate − baseline, percentage points", null=0)


def slices(report: Report) -> Spec:
    """Win score with its interval in the slices where the candidate did worst."""
    rows = [
        row
        for s in report.slices.each
        for row in _row(*_score_of(s), 100, name=f"{words(s.slicing)}: {s.label}")
    ]
    rows = sorted(rows, key=lambda row: float(row["middle"]))[:MOST_SLICES]
    return _forest(rows, x_title="win score of the candidate, %", null=50)


def _score_of(item: SliceSummary) -> tuple[float | None, float | None, float | None]:
    """The pooled score with its interval, or the raw one where there are too few slices to pool."""
    if item.pooled is None:
        return item.estimate, item.ci_low, item.ci_high
    return item.pooled, item.pooled_low, item.pooled_high


def _forest(rows: list[Spec], *, x_title: str, null: float) -> Spec:
    """Forest plot with one line for each row {name, middle, low, high}."""
    x = {
        "type": "quantitative",
        "title": x_title,
        "axis": {"tickCount": 6},
        "scale": {"zero": False, "padding": 8},
    }
    y = {"field": "name", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 260}}
    layers = [
        {**_ZERO, "encoding": {"x": {"datum": null, **x}}},
        *_interval_and_point(x, y),
    ]
    return chart(rows, width=440, height={"step": 28}, layer=layers)


def distribution(report: Report) -> Spec:
    """Histogram of the prompts' mean win scores."""
    bins = report.prompts.histogram
    rows = [{"low": 100 * b.low, "high": 100 * b.high, "prompts": b.count} for b in bins]
    return chart(
        rows,
        width=560,
        height=140,
        layer=[
            {
                "mark": {"type": "bar", "color": CANDIDATE, "binSpacing": 1},
                "encoding": {
                    "x": {
                        "field": "low",
                        "type": "quantitative",
                        "bin": {"binned": True},
                        "scale": {"domain": [0, 100]},
                        "title": "mean win score of a prompt, %",
                    },
                    "x2": {"field": "high"},
                    "y": {
                        "field": "prompts",
                        "type": "quantitative",
                        "title": "prompts",
                        "axis": {"tickMinStep": 1},
                    },
                },
            },
            {**_ZERO, "encoding": {"x": {"datum": 50, "type": "quantitative"}}},
        ],
    )


def looks(history: Sequence[Report]) -> Spec:
    """Win score at every analysis so far, each with the interval reported at that analysis."""
    rows = [
        row
        for primary in (earlier.primary for earlier in history)
        for row in _row(primary.estimate, primary.ci_low, primary.ci_high, 100, ratings=primary.n_ratings)
    ]
    most = max(row["ratings"] for row in rows)
    x = {
        "field": "ratings",
        "type": "quantitative",
        "title": "ratings at the analysis",
        "scale": {"domain": [0, most * 1.05], "nice": False},
    }
    y = {"type": "quantitative", "scale": {"domain": [0, 100]}, "title": "win score, %"}
    return chart(
        rows,
        width=560,
        height=180,
        layer=[
            {**_ZERO, "encoding": {"y": {"datum": 50, **y}}},
            {
                "mark": {"type": "rule", "color": CANDIDATE, "strokeWidth": 3},
                "encoding": {"x": x, "y": {"field": "low", **y}, "y2": {"field": "high"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 110, "color": CANDIDATE, "opacity": 1},
                "encoding": {"x": x, "y": {"field": "middle", **y}},
            },
        ],
    )


def _row(
    middle: float | None, low: float | None, high: float | None, factor: int = 1, **about: Any
) -> list[Spec]:
    """One data row {middle, low, high}, multiplied by `factor`; no row if the result has no interval."""
    if middle is None or low is None or high is None:
        return []
    return [{"middle": factor * middle, "low": factor * low, "high": factor * high, **about}]


def _interval_and_point(x: Spec, y: Spec) -> list[Spec]:
    """Layers that draw data from `_row` as intervals and points."""
    return [
        {
            "mark": {"type": "rule", "color": CANDIDATE, "strokeWidth": 3},
            "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}, "y": y},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 110, "color": CANDIDATE, "opacity": 1},
            "encoding": {"x": {"field": "middle", **x}, "y": y},
        },
    ]
