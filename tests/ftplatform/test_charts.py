"""Charts that a phone can show too."""

import re
from xml.etree import ElementTree

from ftplatform.charts import chart, page_svg

SPEC = chart(
    [{"name": "a rather long name of a criterion", "value": 3}],
    width=440,
    height=60,
    mark="bar",
    encoding={
        "x": {"field": "value", "type": "quantitative"},
        "y": {"field": "name", "type": "nominal", "axis": {"labelLimit": 220}},
    },
)


def _drawings():
    page = ElementTree.fromstring(f"<div>{page_svg(SPEC)}</div>")  # noqa: S314 (our own drawing)
    return {drawing.get("class"): drawing for drawing in page}


def test_a_chart_is_drawn_for_wide_screens_and_for_phones():
    found = _drawings()
    assert set(found) == {"wide", "narrow"}
    widths = {name: float(drawing.get("width", "0")) for name, drawing in found.items()}
    assert widths["wide"] > 440
    # Letters of 12 units are letters of 12 pixels on a screen of 390, whose margins take some 50.
    assert widths["narrow"] < 340


def test_no_id_occurs_twice_in_a_page():
    ids = re.findall(r' id="([^"]+)"', page_svg(SPEC))
    assert len(ids) == len(set(ids))
