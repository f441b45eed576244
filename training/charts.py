"""Curves of training runs: one run by split, or several runs laid over each other."""

from typing import Any

from ftplatform.charts import BASELINE, BOTH_BAD, CANDIDATE, TIE, Spec, chart, page_svg

Curves = dict[str, list[dict[str, Any]]]
# Metric, title, unit, and by what its stored values are divided.
_METRICS = (
    ("loss", "Loss", "nats per token, log scale", 1),
    ("token_accuracy", "Token accuracy", "share of tokens right", 1),
    ("learning_rate", "Learning rate", "step size", 1),
    ("tokens_per_second", "Throughput", "tokens a second", 1),
    ("memory_bytes", "Memory", "GB, peak so far", 1e9),
)
_LABELS = {"train": "Training", "validation": "Validation"}
_COLOURS = (CANDIDATE, TIE, BOTH_BAD, BASELINE)


def run_charts(curves: Curves) -> list[dict[str, Any]]:
    """One chart per metric that has at least two points, with its data and a text alternative."""
    drawn = []
    for metric, title, unit, scale in _METRICS:
        series = {_LABELS[split]: _points(rows, metric, scale) for split, rows in curves.items()}
        drawn.append(_chart(series, metric, title, unit, _by_split))
    return [each for each in drawn if each is not None]


def comparison_charts(runs: list[tuple[str, Curves]]) -> list[dict[str, Any]]:
    """The same metric of several runs, each run in a colour of its own; from the fifth on, dashed."""
    wanted = (
        ("validation", "loss", "Validation loss", "nats per token, log scale"),
        ("train", "loss", "Training loss", "nats per token, log scale"),
        ("validation", "token_accuracy", "Validation token accuracy", "share of tokens right"),
        ("train", "tokens_per_second", "Throughput", "tokens a second"),
    )
    drawn = []
    for split, metric, title, unit in wanted:
        series = {name: _points(curves[split], metric, 1) for name, curves in runs}
        drawn.append(_chart(series, metric, title, unit, _by_run))
    return [each for each in drawn if each is not None]


def _points(rows: list[dict[str, Any]], metric: str, scale: float) -> list[dict[str, Any]]:
    return [
        {"step": row["step"], "value": row[metric] / scale}
        for row in rows
        if row[metric] is not None and (metric != "loss" or row[metric] > 0)
    ]


def _chart(
    series: dict[str, list[dict[str, Any]]], metric: str, title: str, unit: str, style: Any
) -> dict[str, Any] | None:
    shown = {name: points for name, points in series.items() if points}
    if max((len(points) for points in shown.values()), default=0) < 2:
        return None
    values = [{**point, "series": name} for name, points in shown.items() for point in points]
    changes = [
        f"{name} {points[0]['value']:.4g} → {points[-1]['value']:.4g}" for name, points in shown.items()
    ]
    return {
        "title": title,
        "svg": page_svg(_spec(values, metric, unit, style(list(shown), list(series)))),
        "alt": f"{title} over steps: {'; '.join(changes)}.",
        "caption": f"{'; '.join(changes)}.",
        "columns": ["Step", "Series", title],
        "rows": [
            (value["step"], value["series"], f"{value['value']:.5g}")
            for value in values[:: max(1, len(values) // 60)]
        ],
    }


def _by_split(shown: list[str], _all: list[str]) -> dict[str, Any]:
    """Validations are few: a dot says where one was made and that the line between is only a guide."""
    train, validation = ({"filter": {"field": "series", "equal": label}} for label in _LABELS.values())
    colours = {"Training": BASELINE, "Validation": CANDIDATE}
    return {
        "layer": [
            {"transform": [train], "mark": {"type": "line", "strokeWidth": 2}},
            {"transform": [validation], "mark": {"type": "line", "strokeWidth": 2, "strokeDash": [5, 3]}},
            {"transform": [validation], "mark": {"type": "point", "filled": True, "size": 44, "opacity": 1}},
        ],
        "scale": {"domain": shown, "range": [colours[name] for name in shown]},
        "dash": None,
    }


def _by_run(shown: list[str], everything: list[str]) -> dict[str, Any]:
    places = [everything.index(name) for name in shown]
    return {
        "layer": [{"mark": {"type": "line", "strokeWidth": 2, "point": {"filled": True, "size": 18}}}],
        "scale": {"domain": shown, "range": [_COLOURS[place % len(_COLOURS)] for place in places]},
        "dash": {"domain": shown, "range": [[1, 0] if place < len(_COLOURS) else [5, 3] for place in places]},
    }


def _spec(values: list[dict[str, Any]], metric: str, unit: str, style: dict[str, Any]) -> Spec:
    dash = (
        {"strokeDash": {"field": "series", "type": "nominal", "scale": style["dash"]}}
        if style["dash"]
        else {}
    )
    return chart(
        values,
        width=520,
        height=200,
        layer=style["layer"],
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
            "color": {"field": "series", "type": "nominal", "scale": style["scale"]},
            **dash,
        },
    )
