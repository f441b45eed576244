"""The power curve of a plan."""

from typing import Any

from ftplatform.charts import CANDIDATE, INK, chart, page_svg


def power_chart(answer: dict[str, Any], effect: float) -> dict[str, Any]:
    """Chance of detecting a true difference, in percentage points. The target difference and 80 % are marked."""
    rows = [{"points": 100 * p["effect"], "chance": 100 * p["power"]} for p in answer["curve"]]
    x = {"type": "quantitative", "title": "true difference of the win score, percentage points"}
    y = {"type": "quantitative", "title": "chance of detection, %", "scale": {"domain": [0, 100]}}
    spec = chart(
        rows,
        width=520,
        height=220,
        layer=[
            {
                "mark": {"type": "line", "color": CANDIDATE, "strokeWidth": 2.5},
                "encoding": {"x": {"field": "points", **x}, "y": {"field": "chance", **y}},
            },
            {
                "mark": {"type": "rule", "color": INK, "strokeDash": [4, 3]},
                "encoding": {"y": {"datum": 80, **y}},
            },
            {
                "mark": {"type": "rule", "color": INK, "strokeDash": [1, 3]},
                "encoding": {"x": {"datum": 100 * effect, **x}},
            },
        ],
    )
    shown = [
        row for row in rows if row["points"] % 1 == 0 and (row["points"] <= 10 or row["points"] % 5 == 0)
    ]
    return {
        "title": "Power of this plan",
        "svg": page_svg(spec),
        "alt": f"The chance rises with the difference and is 80 % at {100 * answer['detectable']:.1f} points.",
        "columns": ["Difference, points", "Chance, %"],
        "rows": [[f"{row['points']:.0f}", f"{row['chance']:.0f}"] for row in shown],
    }
