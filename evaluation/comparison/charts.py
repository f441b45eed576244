"""Charts of comparisons."""

from typing import Any

from evaluation.comparison.document import SIDES, ComparisonDocument
from ftplatform.charts import BASELINE, CANDIDATE, chart, page_svg

_COLOURS = {"domain": ["Baseline", "Candidate"], "range": [BASELINE, CANDIDATE]}


def fields_chart(document: ComparisonDocument) -> dict[str, Any] | None:
    """Chart of the share of matching expected fields on both sides, in percent; None if there are no such fields."""
    judged = [figure for figure in document.fields if figure.unit == "share"]
    if not judged:
        return None
    rows = [
        {"field": figure.name, "side": side.capitalize(), "percent": 100 * getattr(figure, side)}
        for figure in judged
        for side in SIDES
    ]
    spec = chart(
        rows,
        width=480,
        height={"step": 16},
        mark={"type": "bar", "height": 12},
        encoding={
            "y": {
                "field": "field",
                "type": "nominal",
                "sort": [figure.name for figure in judged],
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
            "color": {"field": "side", "type": "nominal", "scale": _COLOURS},
        },
    )
    shares = [f"{figure.name} {figure.text.baseline} → {figure.text.candidate}" for figure in judged]
    return {
        "title": "Expected fields matched",
        "svg": page_svg(spec),
        "alt": f"Baseline to candidate: {'; '.join(shares)}.",
    }
