"""Plots of a report: each reads the frozen result and computes nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from ftplatform.charts import BASELINE, BOTH_BAD, CANDIDATE, INK, LINE, TIE, Figure, Spec, chart
from ftplatform.text.numbers import count, decimal, hundred, p_value, percent, points, signed, signed_percent
from ftplatform.text.values import words

_OUTCOMES = (
    ("wins", "Candidate preferred", CANDIDATE),
    ("ties", "Tie", TIE),
    ("both_bad", "Both bad", BOTH_BAD),
    ("losses", "Baseline preferred", BASELINE),
)
_MOST_SLICES = 12
_ZERO: Spec = {"mark": {"type": "rule", "color": INK, "strokeDash": [4, 3]}}


def figures(result: Mapping[str, Any], history: Sequence[Mapping[str, Any]] = ()) -> dict[str, Figure]:
    """Every figure that this result can carry, by name. `history` holds the results of all looks up to this one."""
    found = [
        preference(result),
        answers(result),
        criteria(result),
        yes_no(result),
        distribution(result),
        slices(result),
        looks(history),
    ]
    return {figure.name: figure for figure in found if figure is not None}


def preference(result: Mapping[str, Any]) -> Figure | None:
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
    x = {"type": "quantitative", "scale": {"domain": [0, 100]}, "title": "win score of the candidate, of 100"}
    y = {"field": "what", "type": "nominal", "title": None, "axis": None}
    band = {"datum": 50 - margin, "type": "quantitative"}
    spec = chart(
        [row],
        width=560,
        height=56,
        layer=[
            {
                "mark": {"type": "rect", "color": LINE, "opacity": 0.7},
                "encoding": {"x": {**x, **band}, "x2": {"datum": 50 + margin}},
            },
            {**_ZERO, "encoding": {"x": {"datum": 50, **x}}},
            *_interval_and_point(x, y, "low", "high", "score"),
        ],
    )
    score, low, high = (
        hundred(primary["estimate"], 1),
        hundred(primary["ci_low"], 1),
        hundred(primary["ci_high"], 1),
    )
    return Figure(
        name="preference",
        title="Win score with its interval",
        spec=spec,
        alt=f"The win score is {score} of 100, interval {low} to {high}; 50 means no preference.",
        caption="The dashed line is no preference; inside the grey band a difference does not matter.",
        columns=("", "Win score, of 100", "Low", "High"),
        rows=(("Candidate", score, low, high),),
    )


def answers(result: Mapping[str, Any]) -> Figure | None:
    """How often each answer was given, as one bar."""
    primary = result["primary"]
    total = primary["n_ratings"]
    if not total:
        return None
    rows = [
        {"outcome": label, "ratings": primary[key], "order": place}
        for place, (key, label, _) in enumerate(_OUTCOMES)
    ]
    spec = chart(
        rows,
        width=560,
        height=32,
        mark={"type": "bar", "height": 24},
        encoding={
            "x": {"field": "ratings", "type": "quantitative", "stack": "zero", "title": "ratings"},
            "order": {"field": "order", "type": "quantitative"},
            "color": {
                "field": "outcome",
                "type": "nominal",
                "sort": None,
                "scale": {
                    "domain": [label for _, label, _ in _OUTCOMES],
                    "range": [colour for *_, colour in _OUTCOMES],
                },
            },
        },
    )
    said = [(label, count(primary[key]), percent(primary[key] / total)) for key, label, _ in _OUTCOMES]
    return Figure(
        name="answers",
        title="What reviewers answered",
        spec=spec,
        alt=f"Of {count(total)} ratings: " + "; ".join(f"{a.lower()} {b} ({c})" for a, b, c in said) + ".",
        caption="Every rating, ties and “both bad” included.",
        columns=("Answer", "Ratings", "Share"),
        rows=said,
    )


def criteria(result: Mapping[str, Any]) -> Figure | None:
    """A forest plot: mean difference of each criterion in points with its interval, group by group."""
    shown = [c for c in result["criteria"] if c["difference"] is not None and c["ci_low"] is not None]
    if not shown:
        return None
    groups = criterion_groups(result)
    rows = [
        {
            "name": words(c["name"]),
            "group": groups.get(c["name"], ""),
            "difference": c["difference"],
            "low": c["ci_low"],
            "high": c["ci_high"],
        }
        for c in shown
    ]
    order = list(dict.fromkeys(row["group"] for row in rows))
    x = {"type": "quantitative", "title": "candidate − baseline, points", "axis": {"tickCount": 6}}
    y = {"field": "name", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 220}}
    layers = [
        {**_ZERO, "encoding": {"x": {"datum": 0, **x}}},
        *_interval_and_point(x, y, "low", "high", "difference"),
    ]
    if len(order) > 1:
        # One row of panels per group, on one common scale.
        header = {
            "labelAngle": 0,
            "labelAlign": "left",
            "labelOrient": "top",
            "labelAnchor": "start",
            "labelFontWeight": "bold",
            "title": None,
        }
        parts: dict[str, Any] = {
            "facet": {"row": {"field": "group", "type": "nominal", "sort": order, "header": header}},
            "spec": {"width": 440, "height": {"step": 32}, "layer": layers},
            "resolve": {"scale": {"y": "independent"}},
        }
    else:
        parts = {"width": 440, "height": {"step": 32}, "layer": layers}
    said = "; ".join(f"{words(c['name'])} {signed(c['difference'])}" for c in shown)
    return Figure(
        name="criteria",
        title="Difference of each criterion with its interval",
        spec=chart(rows, **parts),
        alt=f"Mean difference in points, candidate minus baseline: {said}.",
        caption="Right of the dashed line the candidate was rated higher.",
        columns=("Criterion", "Difference, points", "Low", "High", "Relative change", "p, Holm"),
        rows=[
            (
                words(c["name"]),
                signed(c["difference"]),
                signed(c["ci_low"]),
                signed(c["ci_high"]),
                signed_percent(c["relative_change"], 1),
                p_value(c["p_adjusted"]),
            )
            for c in shown
        ],
    )


def yes_no(result: Mapping[str, Any]) -> Figure | None:
    """Difference in the share of "yes" of each outcome with its interval, in percentage points."""
    shown = [o for o in result.get("yes_no", ()) if o["difference"] is not None and o["ci_low"] is not None]
    rows = [
        {
            "name": words(o["name"]),
            "middle": 100 * o["difference"],
            "low": 100 * o["ci_low"],
            "high": 100 * o["ci_high"],
        }
        for o in shown
    ]
    table = [
        (words(o["name"]), *(points(o[key]) for key in ("difference", "ci_low", "ci_high"))) for o in shown
    ]
    return _forest(
        "outcomes",
        "Difference of each outcome with its interval",
        rows,
        x_title="candidate − baseline, percentage points",
        null=0,
        caption="Right of the dashed line “yes” was said more often of the candidate.",
        columns=("Outcome", "Difference", "Low", "High"),
        table=table,
    )


def slices(result: Mapping[str, Any]) -> Figure | None:
    """The win score inside the slices where the candidate did worst, with intervals."""
    known = result.get("slices", {"each": ()})["each"]
    shown = [s for s in known if s["estimate"] is not None and s["ci_low"] is not None]
    shown = sorted(shown, key=lambda s: float(s["estimate"]))[:_MOST_SLICES]
    rows = [
        {
            "name": f"{words(s['slicing'])}: {s['label']}",
            "middle": 100 * s["estimate"],
            "low": 100 * s["ci_low"],
            "high": 100 * s["ci_high"],
        }
        for s in shown
    ]
    table = [
        (row["name"], *(hundred(s[key], 1) for key in ("estimate", "ci_low", "ci_high")))
        for row, s in zip(rows, shown, strict=True)
    ]
    return _forest(
        "slices",
        "Slices where the candidate did worst",
        rows,
        x_title="win score of the candidate, of 100",
        null=50,
        caption="Right of the dashed line the candidate was preferred. Exploratory.",
        columns=("Slice", "Win score, of 100", "Low", "High"),
        table=table,
    )


def _forest(
    name: str,
    title: str,
    rows: list[Spec],
    *,
    x_title: str,
    null: float,
    caption: str,
    columns: Sequence[str],
    table: Sequence[Sequence[str]],
) -> Figure | None:
    """One line per row {name, middle, low, high}; None without any."""
    if not rows:
        return None
    x = {
        "type": "quantitative",
        "title": x_title,
        "axis": {"tickCount": 6},
        "scale": {"zero": False, "padding": 8},
    }
    y = {"field": "name", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 260}}
    layers = [
        {**_ZERO, "encoding": {"x": {"datum": null, **x}}},
        *_interval_and_point(x, y, "low", "high", "middle"),
    ]
    said = "; ".join(f"{first} {middle} ({low} to {high})" for first, middle, low, high in table)
    spec = chart(rows, width=440, height={"step": 28}, layer=layers)
    return Figure(name, title, spec, f"{x_title[0].upper()}{x_title[1:]}: {said}.", caption, columns, table)


def criterion_groups(result: Mapping[str, Any]) -> dict[str, str]:
    """The heading of the rubric that each criterion stands under; empty for ratings that came without a rubric."""
    groups: dict[str, str] = (result.get("provenance") or {}).get("criterion_groups") or {}
    return groups


def distribution(result: Mapping[str, Any]) -> Figure | None:
    """How many prompts had which mean win score."""
    spread = result.get("prompts")
    if not spread or not spread["histogram"]:
        return None
    bins = spread["histogram"]
    rows = [{"low": 100 * b["low"], "high": 100 * b["high"], "prompts": b["count"]} for b in bins]
    spec = chart(
        rows,
        width=560,
        height=140,
        layer=[
            {
                "mark": {"type": "bar", "color": CANDIDATE, "binSpacing": 1},
                "encoding": {
                    "x": {
                        "field": "low",
                        "type": "quantitative",
                        "bin": {"binned": True},
                        "scale": {"domain": [0, 100]},
                        "title": "mean win score of a prompt, of 100",
                    },
                    "x2": {"field": "high"},
                    "y": {
                        "field": "prompts",
                        "type": "quantitative",
                        "title": "prompts",
                        "axis": {"tickMinStep": 1},
                    },
                },
            },
            {**_ZERO, "encoding": {"x": {"datum": 50, "type": "quantitative"}}},
        ],
    )
    above, level, below = spread["above"], spread["level"], spread["below"]
    return Figure(
        name="prompts",
        title="Win scores of the prompts",
        spec=spec,
        alt=f"On {count(above)} prompts the candidate was preferred, on {count(below)} the baseline, "
        f"on {count(level)} neither.",
        caption="Each prompt counts once, with the mean of its ratings. Few ratings a prompt fill the ends more than "
        "many would.",
        columns=("Mean win score, of 100", "Prompts"),
        rows=[(f"{decimal(r['low'], 0)} to {decimal(r['high'], 0)}", count(r["prompts"])) for r in rows],
    )


def looks(history: Sequence[Mapping[str, Any]]) -> Figure | None:
    """The win score at every look so far, each with the interval that held there."""
    rows = [
        {
            "ratings": result["primary"]["n_ratings"],
            "score": 100 * result["primary"]["estimate"],
            "low": 100 * result["primary"]["ci_low"],
            "high": 100 * result["primary"]["ci_high"],
        }
        for result in history
        if result["primary"]["estimate"] is not None and result["primary"]["ci_low"] is not None
    ]
    if len(rows) < 2:
        return None
    most = max(row["ratings"] for row in rows)
    x = {
        "field": "ratings",
        "type": "quantitative",
        "title": "ratings at the look",
        "scale": {"domain": [0, most * 1.05], "nice": False},
    }
    y = {"type": "quantitative", "scale": {"domain": [0, 100]}, "title": "win score, of 100"}
    spec = chart(
        rows,
        width=560,
        height=180,
        layer=[
            {**_ZERO, "encoding": {"y": {"datum": 50, **y}}},
            {
                "mark": {"type": "rule", "color": CANDIDATE, "strokeWidth": 3},
                "encoding": {"x": x, "y": {"field": "low", **y}, "y2": {"field": "high"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 110, "color": CANDIDATE, "opacity": 1},
                "encoding": {"x": x, "y": {"field": "score", **y}},
            },
        ],
    )
    table = [
        (count(r["ratings"]), decimal(r["score"], 1), decimal(r["low"], 1), decimal(r["high"], 1))
        for r in rows
    ]
    return Figure(
        name="looks",
        title="Look by look",
        spec=spec,
        alt="Win score at each look: " + "; ".join(f"{b} after {a} ratings" for a, b, *_ in table) + ".",
        caption="The intervals hold together for all looks, so each is wider than one for a single look.",
        columns=("Ratings", "Win score, of 100", "Low", "High"),
        rows=table,
    )


def _interval_and_point(x: Spec, y: Spec, low: str, high: str, middle: str) -> list[Spec]:
    return [
        {
            "mark": {"type": "rule", "color": CANDIDATE, "strokeWidth": 3},
            "encoding": {"x": {"field": low, **x}, "x2": {"field": high}, "y": y},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 110, "color": CANDIDATE, "opacity": 1},
            "encoding": {"x": {"field": middle, **x}, "y": y},
        },
    ]
