"""A download cannot make a spreadsheet run anything, and gives back what went in."""

import csv
import io

import pytest

from ftplatform.csv_export import csv_lines, safe_cell


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "|cmd", "\t=1", "\r=1", "  =1", "\ufeff=1", "\u200b=1", "＝1"]
)
def test_a_formula_is_text(text):
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["a=1", "", " ", "kind-hearted", -3, -0.5, None, True])
def test_everything_else_stays(value):
    assert safe_cell(value) is value


def test_what_goes_in_comes_out():
    rows = [[f"r{n}", 'a "quote", a comma\nand a line', None, n] for n in range(1000)]
    text = "".join(csv_lines(["id", "text", "nothing", "n"], rows))
    found = list(csv.reader(io.StringIO(text, newline="")))
    assert found[0] == ["id", "text", "nothing", "n"]
    assert found[1:] == [[r, t, "", str(n)] for r, t, _, n in rows]
