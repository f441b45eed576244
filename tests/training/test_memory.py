"""Making a dataset takes the same memory for a large file as for a small one."""

import pytest

from benchmarks.datasets import GOAL_MIB, measure, write

MIB = 2**20


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_memory_stays_flat_while_a_large_file_is_imported(tmp_path, kind):
    file = tmp_path / f"rows.{kind}"
    rows = write(file, 60 * MIB)
    found = measure(file, tmp_path)
    assert sum(found["rows"].values()) == rows
    assert found["grown_mib"] < 60 < GOAL_MIB


@pytest.mark.slow
def test_the_measurement_measures(tmp_path):
    """The control: the same rows in a list show."""
    file = tmp_path / "rows.jsonl"
    write(file, 60 * MIB)
    assert measure(file, tmp_path, control=True)["grown_mib"] > 80
