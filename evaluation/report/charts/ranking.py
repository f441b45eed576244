"""The forest plot of a ranking."""

from typing import Any

from ftplatform.charts import CANDIDATE, INK, chart, page_svg


def ranking_chart(group: dict[str, Any]) -> dict[str, Any] | None:
    """Log-strength of each model with its interval, strongest first. None if no model could be ranked."""
    rows = [
        {"name": one["name"], "strength": one["strength"], "low": one["ci_low"], "high": one["ci_high"]}
        for one in group["models"]
    ]
    if not rows:
        return None
    x = {"type": "quantitative", "title": "log-strength; the models' mean is 0", "axis": {"tickCount": 6}}
    y = {"field": "name", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 220}}
    spec = chart(
        rows,
        width=480,
        height={"step": 32},
        layer=[
            {
                "mark": {"type": "rule", "color": INK, "strokeDash": [4, 3]},
                "encoding": {"x": {"datum": 0, **x}},
            },
            {
                "transform": [{"filter": "isValid(datum.low)"}],
                "mark": {"type": "rule", "color": CANDIDATE, "strokeWidth": 3},
                "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}, "y": y},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 110, "color": CANDIDATE, "opacity": 1},
                "encoding": {"x": {"field": "strength", **x}, "y": y},
            },
        ],
    )
    summary = "; ".join(f"{one['name']} {one['strength']:+.2f}" for one in rows)
    return {"svg": page_svg(spec), "alt": f"Strongest first: {summary}."}
