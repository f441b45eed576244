"""Chart of the false positives of common tests and of the headline, for the guide."""

from pathlib import Path
from typing import Any

from ftplatform.charts import BASELINE, CANDIDATE, INK, MUTED, chart, export_svg

# From the least to the most conservative. Tests that the report does not use are grey.
SHOWN = {
    "binomial, all ratings": "binomial test",
    "paired t, all ratings": "paired t test",
    "Wilcoxon, all ratings": "Wilcoxon test",
    "this panel only: Wilcoxon, prompt means": "Wilcoxon, prompt means",
    "headline": "this report's headline",
}
_WORDS = {
    "iid": "all ratings independent",
    "prompt": "prompts differ",
    "expert": "expert reviewers",
    "low": "low agreement",
    "high": "noisy crowd",
    "skewed": "noisy crowd, uneven workloads",
    "few reviewers": "noisy crowd of 8",
}


def draw_picture(record: dict[str, Any], path: Path) -> None:
    """Write the chart of a calibration record as SVG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(export_svg(specification(record)), encoding="utf-8")


def specification(record: dict[str, Any]) -> dict[str, Any]:
    """One dot for each test in each scenario, and a line at the nominal 5 %."""
    rows = [
        {
            "scenario": _WORDS[scenario],
            "test": SHOWN[test],
            "percent": figures["false_positives"],
            "ours": test == "headline",
        }
        for scenario, by_test in record["results"].items()
        for test, figures in by_test.items()
        if test in SHOWN
    ]
    x = {
        "field": "percent",
        "type": "quantitative",
        "title": "false alarms in 100 reviews without any difference",
    }
    y = {"field": "scenario", "type": "nominal", "sort": list(_WORDS.values()), "title": None}
    tests = list(SHOWN.values())
    return chart(
        rows,
        width=460,
        height={"step": 38},
        layer=[
            {
                "mark": {"type": "rule", "color": INK, "strokeDash": [4, 3]},
                "encoding": {"x": {"datum": 5, "type": "quantitative"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
                "encoding": {
                    "x": {**x, "scale": {"domainMin": 0}},
                    "y": {**y, "axis": {"labelLimit": 240, "grid": True}},
                    "color": {
                        "field": "test",
                        "type": "nominal",
                        "sort": tests,
                        "scale": {"domain": tests, "range": [BASELINE, BASELINE, BASELINE, MUTED, CANDIDATE]},
                    },
                    "shape": {
                        "field": "test",
                        "type": "nominal",
                        "sort": tests,
                        "scale": {
                            "domain": tests,
                            "range": ["cross", "diamond", "square", "triangle-up", "circle"],
                        },
                    },
                },
            },
        ],
    )
