"""Charts as Vega-Lite specifications, rendered on the server so that the page and the export show the same picture.

The page gets inline SVG whose colours are the stylesheet's custom properties, so it follows the reader's light or
dark theme. The export gets fixed colours.
"""

import json
import re
import textwrap
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
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
# A chart no wider than this fits a phone unchanged.
_PHONE = 300
_LINE = 24

# CSS custom properties for the same colours; see static/css/tokens.css.
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
    """A chart with its texts. `alt` states its result in one sentence. `columns` and `rows` hold its data as a table
    whose first column is the row header. `name` is stable, because exports use it as the file name."""

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

_PHONE_CONFIG: Spec = {
    **_CONFIG,
    "axis": {**_CONFIG["axis"], "labelSeparation": 12},
    "legend": {**_CONFIG["legend"], "columns": 2},
}


def chart(values: list[Spec], **parts: Any) -> Spec:
    """A specification for rows of data, in the site's style."""
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
    """The chart as inline SVG in the page's colours, drawn twice: for wide screens, and for phones, where the
    letters of the wide drawing would be too small. The stylesheet shows one of them. Vega escapes all text that it
    draws."""
    phone = _narrow(spec) | {"config": _PHONE_CONFIG}
    both = (_drawn("wide", json.dumps(spec)), _drawn("narrow", json.dumps(phone)))
    return mark_safe("".join(both))  # noqa: S308


def _narrow(part: Any) -> Any:
    """The same chart for a phone: narrower, with shorter labels, fewer ticks, and long titles on several lines."""
    if isinstance(part, list):
        return [_narrow(item) for item in part]
    if not isinstance(part, dict):
        return part
    narrowed = {key: value if key == "data" else _narrow(value) for key, value in part.items()}
    if isinstance(width := narrowed.get("width"), int | float) and width > _PHONE:
        narrowed["width"] = max(width - 270, 170)
    if "labelLimit" in narrowed:
        narrowed["labelLimit"] = 110
    if "tickCount" in narrowed:
        narrowed["tickCount"] = 3
    if isinstance(title := narrowed.get("title"), str):
        narrowed["title"] = textwrap.wrap(title, _LINE)
    return narrowed


@lru_cache(maxsize=256)
def _drawn(name: str, spec: str) -> str:
    # The surrounding figure has the image role and the text; Vega's roles would add unnamed images inside it.
    svg = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", vl_convert.vegalite_to_svg(spec))
    # Both drawings are in the same page, where an id must be unique.
    svg = re.sub(r'(id="|url\(#)', rf"\g<1>{name}-{zlib.crc32(spec.encode())}-", svg)
    svg = svg.replace("<svg ", f'<svg class="{name}" ', 1).replace('class="marks"', "", 1)
    for colour, name in _PROPERTIES.items():
        svg = svg.replace(f'"{colour}"', f'"{name}"')
    return svg
