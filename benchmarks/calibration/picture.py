"""Chart and table of the false positives of common tests and of the headline, for the guide.

python -m benchmarks.calibration.picture
"""

import json
import re
from pathlib import Path
from typing import Any

from ftplatform.charts import BASELINE, CANDIDATE, INK, MUTED, chart, export_svg

DOCS = Path(__file__).parents[2] / "docs"
PICTURES = DOCS / "pictures"
GUIDE = DOCS / "guides/why-your-binomial-test-lies.md"
# The guide's table, which starts with this column.
_TABLE = re.compile(r"(^\| campaign \|.*\n)(^\|.*\n)+", re.MULTILINE)
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
    "ties": "mostly ties",
    "few prompts": "20 prompts",
    "dominant": "one dominant reviewer",
    "topics": "10 topics, declared",
    "drop-out": "drop-out after losses",
}


def table(record: dict[str, Any]) -> str:
    """The same figures as a Markdown table, with the headline's coverage and power."""
    columns = ("campaign", *SHOWN.values(), "its coverage", "its power, % of REML's")
    lines = [_line(columns), _line(("---", *["---:"] * (len(columns) - 1)))]
    for scenario, by_test in record["results"].items():
        rates = [
            f"{by_test[test]['false_positives']:.1f} ± {by_test[test]['standard_error']:.1f}"
            for test in SHOWN
        ]
        power = record["headline_power_relative_to_reml"][scenario]
        lines.append(
            _line((_WORDS[scenario], *rates, f"{by_test['headline']['coverage']:.1f}", f"{power:.0f}"))
        )
    return "\n".join(lines)


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


# Texts may be wider in the reader's font than in the one that laid them out.
_LEGEND = {"columns": 3, "columnPadding": 40, "symbolSize": 90, "title": None}
_PADDING = {"left": 40, "right": 40, "top": 5, "bottom": 5}


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
        padding=_PADDING,
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
                        "legend": _LEGEND,
                    },
                    "shape": {
                        "field": "test",
                        "type": "nominal",
                        "sort": tests,
                        "scale": {
                            "domain": tests,
                            "range": ["cross", "diamond", "square", "triangle-up", "circle"],
                        },
                        "legend": _LEGEND,
                    },
                },
            },
        ],
    )


def main() -> None:
    record = json.loads((PICTURES / "calibration.json").read_text(encoding="utf-8"))
    (PICTURES / "calibration.svg").write_text(export_svg(specification(record)), encoding="utf-8")
    guide = GUIDE.read_text(encoding="utf-8")
    GUIDE.write_text(_TABLE.sub(lambda _: table(record) + "\n", guide), encoding="utf-8")


if __name__ == "__main__":
    main()
