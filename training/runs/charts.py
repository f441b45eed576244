"""Curves of training runs: one run by split, or several runs in one chart."""

from typing import Any

from ftplatform.charts import BASELINE, BOTH_BAD, CANDIDATE, INK, TIE, Spec, chart, page_svg

Curves = dict[str, list[dict[str, Any]]]
# Metric, title, unit, and the divisor of its stored values.
_METRICS = (
    ("loss", "Loss", "nats per token, log scale", 1),
    ("token_accuracy", "Token accuracy", "share of correct tokens", 1),
    ("learning_rate", "Learning rate", "step size", 1),
    ("tokens_per_second", "Throughput", "tokens per second", 1),
    ("memory_bytes", "Memory", "GB in use", 1e9),
)
_LABELS = {"train": "Training", "validation": "Validation"}
_COLOURS = (CANDIDATE, TIE, BOTH_BAD, BASELINE)


def run_charts(curves: Curves) -> list[dict[str, Any]]:
    """One chart per metric with at least two points, with its data and a text alternative."""
    drawn = []
    for metric, title, unit, scale in _METRICS:
        series = {_LABELS[split]: _points(rows, metric, scale) for split, rows in curves.items()}
        drawn.append(_chart(series, metric, title, unit, _by_split))
    return [each for each in drawn if each is not None]


def comparison_charts(runs: list[tuple[str, Curves]]) -> list[dict[str, Any]]:
    """The same metric of several runs, each in its own colour; from the fifth on, dashed."""
    wanted = (
        ("validation", "loss", "Validation loss", "nats per token, log scale"),
        ("train", "loss", "Training loss", "nats per token, log scale"),
        ("validation", "token_accuracy", "Validation token accuracy", "share of correct tokens"),
        ("train", "tokens_per_second", "Throughput", "tokens per second"),
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
    """Validations are few: dots mark the measurements, and the line between them is only a guide."""
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
    steps = sorted({value["step"] for value in values})
    # Learning rates are too small for plain decimals.
    form = {"format": ".1~e"} if metric == "learning_rate" else {}
    # With two or three steps, Vega would add ticks between them with repeated labels.
    few = {"values": steps} if len(steps) <= 3 else {}
    return chart(
        values,
        width=520,
        height=200,
        layer=style["layer"],
        encoding={
            "x": {
                "field": "step",
                "type": "quantitative",
                "title": "step",
                "axis": {"grid": False, "tickMinStep": 1, "format": ",d", **few},
            },
            "y": {
                "field": "value",
                "type": "quantitative",
                "title": unit,
                "scale": {
                    "type": "log" if metric == "loss" else "linear",
                    "zero": False,
                    "nice": metric != "loss",
                },
                "axis": {"tickCount": 5, **form},
            },
            "color": {"field": "series", "type": "nominal", "scale": style["scale"]},
            **dash,
        },
    )


_SPLITS = {"train": "Training", "validation": "Validation", "test": "Test"}
_BINS = 40


def length_chart(splits: dict[str, dict[str, Any]], max_length: int | None) -> dict[str, Any] | None:
    """Histogram of row lengths in tokens, with a line at `max_length`; None when no row could be measured."""
    counts = {name: split["counts"] for name, split in splits.items() if split["counts"]}
    longest = max((pairs[-1][0] for pairs in counts.values()), default=0)
    if not longest:
        return None
    shortest = min(pairs[0][0] for pairs in counts.values())
    width = _nice_width((longest - shortest) / _BINS)
    values: list[dict[str, Any]] = [
        {"from": start, "to": start + width, "rows": rows, "split": _SPLITS[name], "order": order}
        for order, (name, pairs) in enumerate(counts.items())
        for start, rows in sorted(_binned(pairs, width).items())
    ]
    total = sum(value["rows"] for value in values)
    over = sum(
        rows for pairs in counts.values() for length, rows in pairs if max_length and length > max_length
    )
    summary = f"{total:,} rows; the longest has {longest:,} tokens."
    if max_length:
        summary += f" {over:,} exceed {max_length:,}." if over else f" None exceeds {max_length:,}."
    return {
        "title": "Row lengths",
        "svg": page_svg(_length_spec(values, [_SPLITS[name] for name in counts], max_length, longest)),
        "alt": f"Histogram of rows by their length in tokens: {summary}",
        "caption": summary,
        "columns": ["Tokens", "Split", "Rows"],
        "rows": [
            (f"{value['from']:,} to {value['to'] - 1:,}", value["split"], f"{value['rows']:,}")
            for value in values
        ],
    }


def _nice_width(least: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50 … that is not below `least`."""
    scale = 1
    while True:
        for step in (1, 2, 5):
            if step * scale >= least:
                return step * scale
        scale *= 10


def _binned(pairs: list[list[int]], width: int) -> dict[int, int]:
    bins: dict[int, int] = {}
    for length, rows in pairs:
        start = length // width * width
        bins[start] = bins.get(start, 0) + rows
    return bins


def _length_spec(
    values: list[dict[str, Any]], shown: list[str], max_length: int | None, longest: int
) -> Spec:
    bars: Spec = {
        "mark": {"type": "bar", "orient": "vertical"},
        "encoding": {
            "x": {
                "field": "from",
                "bin": {"binned": True},
                "type": "quantitative",
                "title": "tokens per row",
                "axis": {"grid": False},
            },
            "x2": {"field": "to"},
            "y": {
                "field": "rows",
                "type": "quantitative",
                "title": "rows",
                "stack": True,
                "axis": {"tickCount": 5},
            },
            "order": {"field": "order"},
            "color": {
                "field": "split",
                "type": "nominal",
                "scale": {"domain": shown, "range": [BASELINE, CANDIDATE, TIE][: len(shown)]},
            },
        },
    }
    layers = [bars]
    # A limit far beyond every row would compress the bars.
    if max_length and max_length <= 1.5 * longest:
        rule: Spec = {
            "mark": {"type": "rule", "strokeWidth": 2, "strokeDash": [5, 3], "color": INK},
            "encoding": {"x": {"datum": max_length}},
        }
        layers.append(rule)
    return chart(values, width=640, height=220, layer=layers)
