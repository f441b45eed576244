"""Size budgets of code, templates, styles and scripts."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import ROOT

PACKAGES = ("ftplatform", "training", "evaluation", "worker", "tests", "benchmarks")
FUNCTION_MAX, FUNCTION_P90 = 60, 30
FILE_MAX, FILE_P90 = 500, 250
# For templates, styles and scripts. Third-party files are under static/vendor.
LINE_MAX = 120
LINES_OF_A_FILE = {"html": (150, 80), "css": (600, 600), "js": (400, 300)}
JS_FUNCTION_MAX = 80
_JS_FUNCTION = re.compile(r"^(\s*).*(?:\bfunction\b.*|=>) \{$")


def _files() -> list[Path]:
    found = [ROOT / "manage.py"]
    for package in PACKAGES:
        found += [path for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts]
    return found


def _page_files(kind: str) -> list[Path]:
    found = [*(ROOT / "templates").rglob(f"*.{kind}"), *(ROOT / "static").rglob(f"*.{kind}")]
    return [path for path in found if "vendor" not in path.parts]


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno
            place = f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
            yield place, node.end_lineno - node.lineno + 1


def _js_functions(path: Path) -> Iterator[tuple[str, int]]:
    """Functions with a block: from the opening line to the next closing line at the same indentation."""
    lines = path.read_text().splitlines()
    for first, line in enumerate(lines):
        if opened := _JS_FUNCTION.match(line):
            end = re.compile(re.escape(opened[1]) + r"\}")
            last = next(number for number in range(first + 1, len(lines)) if end.match(lines[number]))
            yield f"{path.relative_to(ROOT)}:{first + 1}", last - first + 1


def _p90(lengths: list[int]) -> int:
    return sorted(lengths)[int(len(lengths) * 0.9)]


def test_no_function_is_longer_than_its_budget():
    lengths = [(lines, place) for path in _files() for place, lines in _functions(path)]
    too_long = sorted((item for item in lengths if item[0] > FUNCTION_MAX), reverse=True)
    assert not too_long
    assert _p90([lines for lines, _place in lengths]) <= FUNCTION_P90


def test_no_file_is_longer_than_its_budget():
    lengths = [(len(path.read_text().splitlines()), str(path.relative_to(ROOT))) for path in _files()]
    too_long = sorted((item for item in lengths if item[0] > FILE_MAX), reverse=True)
    assert not too_long
    # Empty package markers would lower the percentile.
    assert _p90([lines for lines, _place in lengths if lines]) <= FILE_P90


@pytest.mark.parametrize("kind", LINES_OF_A_FILE)
def test_no_line_of_a_page_is_longer_than_its_budget(kind):
    too_long = [
        f"{path.relative_to(ROOT)}:{number} ({len(line)})"
        for path in _page_files(kind)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > LINE_MAX
    ]
    assert not too_long


@pytest.mark.parametrize(("kind", "budget"), LINES_OF_A_FILE.items())
def test_no_file_of_a_page_is_longer_than_its_budget(kind, budget):
    most, p90 = budget
    lengths = [
        (len(path.read_text().splitlines()), str(path.relative_to(ROOT))) for path in _page_files(kind)
    ]
    too_long = sorted((item for item in lengths if item[0] > most), reverse=True)
    assert not too_long
    assert _p90([lines for lines, _place in lengths]) <= p90


def test_no_function_of_a_script_is_longer_than_its_budget():
    lengths = [(lines, place) for path in _page_files("js") for place, lines in _js_functions(path)]
    assert not [item for item in lengths if item[0] > JS_FUNCTION_MAX]


def test_the_walk_finds_the_code():
    """Control: an empty list would pass every budget."""
    files = _files()
    assert len(files) > 50
    assert sum(1 for path in files for _ in _functions(path)) > 200
    assert len(_page_files("html")) > 100 and len(_page_files("css")) > 2 and len(_page_files("js")) > 10
    assert sum(1 for path in _page_files("js") for _ in _js_functions(path)) > 50
