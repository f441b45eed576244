"""A chart is one Vega-Lite specification, drawn on the server: the page and the export show the same picture.

The page gets inline SVG whose colours are the stylesheet's custom properties, so that light and dark follow the
reader; the export gets the colours as they are.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import vl_convert
from django.utils.safestring import SafeString, mark_safe

Spec = dict[str, Any]

BASELINE = "#747a83"
CANDIDATE = "#1b57b1"
TIE = "#c28e0e"
BOTH_BAD = "#5d2f24"
INK = "#1d2024"
MUTED = "#5b616a"
LINE = "#e2e3df"
PAPER = "#ffffff"

# The page's names for the same colours; see static/css/tokens.css.
_PROPERTIES = {
    BASELINE: "var(--chart-baseline)",
    CANDIDATE: "var(--chart-candidate)",
    TIE: "var(--chart-tie)",
    BOTH_BAD: "var(--chart-both-bad)",
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
}


@dataclass(frozen=True)
class Figure:
    """A chart with what is said of it: `alt` is its result in one sentence, `columns` and `rows` its data as a table
    whose first column heads the row. `name` is stable: exports call the file so."""

    name: str
    title: str
    spec: Spec
    alt: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    @property
    def svg(self) -> SafeString:
        return page_svg(self.spec)


_CONFIG: Spec = {
    "background": None,
    "view": {"stroke": None},
    "font": "system-ui, sans-serif",
    "axis": {
        "gridColor": LINE,
        "domainColor": LINE,
        "tickColor": LINE,
        "labelColor": MUTED,
        "titleColor": MUTED,
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
    },
    "legend": {"labelColor": MUTED, "titleColor": MUTED, "labelFontSize": 12, "orient": "top", "title": None},
}


def chart(values: list[Spec], **parts: Any) -> Spec:
    """A specification over rows of data, in the site's look."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "config": _CONFIG,
        **parts,
    }


def export_svg(spec: Spec) -> str:
    """The chart as a standalone SVG document on white paper."""
    svg: str = vl_convert.vegalite_to_svg(_on_paper(spec))
    return svg


def export_png(spec: Spec) -> bytes:
    """The chart as a PNG on white paper, at twice its size in points."""
    png: bytes = vl_convert.vegalite_to_png(_on_paper(spec), scale=2)
    return png


def _on_paper(spec: Spec) -> Spec:
    return {**spec, "config": {**_CONFIG, "background": PAPER}}


def page_svg(spec: Spec) -> SafeString:
    """The chart as inline SVG in the page's colours. Vega escapes every text that it draws."""
    # The figure around it is the image and has the text; Vega's own roles would name nameless images inside it.
    svg = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", vl_convert.vegalite_to_svg(spec))
    for colour, name in _PROPERTIES.items():
        svg = svg.replace(f'"{colour}"', f'"{name}"')
    return mark_safe(svg)  # noqa: S308
