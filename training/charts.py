"""Curves of a training run."""

from typing import Any

from ftplatform.charts import BASELINE, CANDIDATE, Spec, chart, page_svg

_METRICS = (
    ("loss", "Loss", "nats per token, log scale"),
    ("token_accuracy", "Token accuracy", "share of tokens right"),
    ("learning_rate", "Learning rate", "step size"),
)
_LABELS = {"train": "Training", "validation": "Validation"}


def _only(split: str) -> dict[str, Any]:
    return {"filter": {"field": "split", "equal": _LABELS[split]}}


def run_charts(curves: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """One chart per metric that has at least two points, with its data and a text alternative."""
    return [drawn for metric in _METRICS if (drawn := _chart(curves, *metric)) is not None]


def _chart(
    curves: dict[str, list[dict[str, Any]]], metric: str, title: str, unit: str
) -> dict[str, Any] | None:
    values = [
        {"step": row["step"], "value": row[metric], "split": _LABELS[split]}
        for split, rows in curves.items()
        for row in rows
        if row[metric] is not None and (metric != "loss" or row[metric] > 0)
    ]
    if len({value["step"] for value in values}) < 2:
        return None
    sides = [
        (label, side) for label in _LABELS.values() if (side := [v for v in values if v["split"] == label])
    ]
    shown = [label for label, _ in sides]
    changes = [f"{label.lower()} {side[0]['value']:.4g} → {side[-1]['value']:.4g}" for label, side in sides]
    return {
        "title": title,
        "svg": page_svg(_spec(values, shown, metric, unit)),
        "alt": f"{title} over steps: {'; '.join(changes)}.",
        "caption": f"{'; '.join(changes).capitalize()}.",
        "columns": ["Step", "Split", title],
        "rows": [
            (value["step"], value["split"], f"{value['value']:.5g}")
            for value in values[:: max(1, len(values) // 60)]
        ],
    }


def _spec(values: list[dict[str, Any]], shown: list[str], metric: str, unit: str) -> Spec:
    return chart(
        values,
        width=520,
        height=200,
        # Validations are few: a dot says where one was made and that the line between is only a guide.
        layer=[
            {"transform": [_only("train")], "mark": {"type": "line", "strokeWidth": 2}},
            {
                "transform": [_only("validation")],
                "mark": {"type": "line", "strokeWidth": 2, "strokeDash": [5, 3]},
            },
            {
                "transform": [_only("validation")],
                "mark": {"type": "point", "filled": True, "size": 44, "opacity": 1},
            },
        ],
        encoding={
            "x": {"field": "step", "type": "quantitative", "title": "step", "axis": {"grid": False}},
            "y": {
                "field": "value",
                "type": "quantitative",
                "title": unit,
                "scale": {
                    "type": "log" if metric == "loss" else "linear",
                    "zero": False,
                    "nice": metric != "loss",
                },
                "axis": {"tickCount": 5},
            },
            "color": {
                "field": "split",
                "type": "nominal",
                "scale": {"domain": shown, "range": [BASELINE, CANDIDATE][: len(shown)]},
            },
        },
    )
