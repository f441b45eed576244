"""The size budgets of the code: small functions and files, and nothing so large that it hides from review."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.services import ROOT

PACKAGES = ("ftplatform", "training", "evaluation", "worker", "tests", "benchmarks")
FUNCTION_MAX, FUNCTION_P90 = 60, 30
FILE_MAX, FILE_P90 = 500, 250


def _files() -> list[Path]:
    found = [ROOT / "manage.py"]
    for package in PACKAGES:
        found += [path for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts]
    return found


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno
            place = f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
            yield place, node.end_lineno - node.lineno + 1


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
    # Empty package markers say nothing about how long files are.
    assert _p90([lines for lines, _place in lengths if lines]) <= FILE_P90


def test_the_walk_finds_the_code():
    """The control: an empty list would pass every budget."""
    files = _files()
    assert len(files) > 50
    assert sum(1 for path in files for _ in _functions(path)) > 200
