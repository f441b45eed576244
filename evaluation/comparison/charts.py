"""Plots of comparisons."""

from typing import Any

from evaluation.comparison import document as present
from ftplatform.charts import BASELINE, CANDIDATE, chart, page_svg

_SIDES = {"domain": ["Baseline", "Candidate"], "range": [BASELINE, CANDIDATE]}


def shown(document: dict[str, Any]) -> dict[str, Any]:
    """The figures of a comparison in words with their chart, for the page and for what is carried away."""
    slices = present.slice_rows(document)
    return {
        "groups": present.rows(document),
        "fields": present.field_rows(document),
        "slices": slices,
        "left_out": present.left_out(document),
        "safety": [
            present.row(each) | {"check": each["check"].replace("_", " "), "run": each["run"]}
            for each in document["safety"]
        ],
        "chart": fields_chart(document),
    }


def fields_chart(comparison: dict[str, Any]) -> dict[str, Any] | None:
    """Share of responses whose field matches the expected one, both sides, in percent."""
    judged = [row for row in comparison["fields"] if row["unit"] == "share"]
    rows = [
        {"field": row["name"], "side": side.capitalize(), "percent": 100 * row[side]}
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
