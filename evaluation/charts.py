"""Plots of comparisons and reports."""

from typing import Any

from ftplatform.charts import BASELINE, CANDIDATE, INK, LINE, Spec, chart, page_svg

_SIDES = {"domain": ["Baseline", "Candidate"], "range": [BASELINE, CANDIDATE]}


def fields_chart(comparison: dict[str, Any]) -> dict[str, Any] | None:
    """Share of responses whose field matches the expected one, both sides, in percent."""
    judged = [
        row
        for row in comparison["fields"]
        if None not in (row["baseline"]["share"], row["candidate"]["share"])
    ]
    rows = [
        {"field": row["name"], "side": side.capitalize(), "percent": 100 * row[side]["share"]}
        for row in judged
        for side in ("baseline", "candidate")
    ]
    if not rows:
        return None
    names = list(dict.fromkeys(row["field"] for row in rows))
    spec = chart(
        rows,
        width=480,
        height={"step": 16},
        mark={"type": "bar", "height": 12},
        encoding={
            "y": {
                "field": "field",
                "type": "nominal",
                "sort": names,
                "title": None,
                "axis": {"labelLimit": 220},
            },
            "yOffset": {"field": "side", "sort": ["Baseline", "Candidate"]},
            "x": {
                "field": "percent",
                "type": "quantitative",
                "title": "% of responses whose field matches",
                "scale": {"domain": [0, 100]},
            },
            "color": {"field": "side", "type": "nominal", "scale": _SIDES},
        },
    )
    said = [
        f"{name} {a['percent']:.0f} % → {b['percent']:.0f} %"
        for name, a, b in zip(names, rows[::2], rows[1::2], strict=True)
    ]
    return {
        "title": "Expected fields matched",
        "svg": page_svg(spec),
        "alt": f"Baseline to candidate: {'; '.join(said)}.",
    }


def report_charts(result: dict[str, Any]) -> dict[str, Any]:
    """The report's plots as inline SVG with their data and a text alternative."""
    return {"preference": _drawn(preference_spec(result)), "criteria": _drawn(criteria_spec(result))}


def _drawn(spec: Spec | None) -> Any:
    return page_svg(spec) if spec is not None else None


def preference_spec(result: dict[str, Any]) -> Spec | None:
    """The win score with its interval against ½ and against the margin inside which nothing matters."""
    primary = result["primary"]
    if primary["estimate"] is None or primary["ci_low"] is None:
        return None
    margin = 100 * primary["margin"]
    row = {
        "score": 100 * primary["estimate"],
        "low": 100 * primary["ci_low"],
        "high": 100 * primary["ci_high"],
        "what": "win score",
    }
    x = {"type": "quantitative", "scale": {"domain": [0, 100]}, "title": "win score of the candidate, %"}
    y = {"field": "what", "type": "nominal", "title": None, "axis": None}
    band = {"datum": 50 - margin, "type": "quantitative"}
    return chart(
        [row],
        width=560,
        height=56,
        layer=[
            {
                "mark": {"type": "rect", "color": LINE, "opacity": 0.7},
                "encoding": {"x": {**x, **band}, "x2": {"datum": 50 + margin}},
            },
            {
                "mark": {"type": "rule", "color": INK, "strokeDash": [4, 3]},
                "encoding": {"x": {"datum": 50, **x}},
            },
            {
                "mark": {"type": "rule", "color": CANDIDATE, "strokeWidth": 3},
                "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}, "y": y},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 120, "color": CANDIDATE},
                "encoding": {"x": {"field": "score", **x}, "y": y},
            },
        ],
    )


def criteria_spec(result: dict[str, Any]) -> Spec | None:
    """A forest plot: mean difference of each criterion in points, with its interval."""
    rows = [
        {
            "name": c["name"].replace("_", " "),
            "difference": c["difference"],
            "low": c["ci_low"],
            "high": c["ci_high"],
        }
        for c in result["criteria"]
        if c["difference"] is not None and c["ci_low"] is not None
    ]
    if not rows:
        return None
    x = {"type": "quantitative", "title": "candidate − baseline, points", "axis": {"tickCount": 6}}
    y = {"field": "name", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 220}}
    return chart(
        rows,
        width=480,
        height={"step": 32},
        layer=[
            {
                "mark": {"type": "rule", "color": INK, "strokeDash": [4, 3]},
                "encoding": {"x": {"datum": 0, **x}},
            },
            {
                "mark": {"type": "rule", "color": CANDIDATE, "strokeWidth": 3},
                "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}, "y": y},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 110, "color": CANDIDATE},
                "encoding": {"x": {"field": "difference", **x}, "y": y},
            },
        ],
    )
