"""Curves of a run as people read them."""

import re

import pytest

from training.runs.charts import comparison_charts


@pytest.mark.parametrize("steps", [[1, 2], [2, 3, 4], [1, 2, 3, 4], [10, 100]])
def test_no_step_is_named_twice_however_few_there_are(steps):
    rows = [
        {"step": step, "loss": 1 / step, "token_accuracy": None, "tokens_per_second": None} for step in steps
    ]
    (drawn,) = comparison_charts([("one", {"train": rows, "validation": []})])
    for svg in re.findall(r"<svg.*?</svg>", str(drawn["svg"]), flags=re.DOTALL):
        named = re.findall(r"<text[^>]*>(\d+)</text>", svg)
        assert {str(steps[0]), str(steps[-1])} <= set(named)
        along = named[: len(set(named) & set(map(str, steps)))]
        assert len(along) == len(set(along))
