"""Splits: exact shares, the same every time, and nothing that belongs together is ever parted."""

import io
import json
from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftplatform.errors import DomainError
from tests import factories
from training.intake import splits as dealing
from training.intake.checking import Wishes, check
from training.intake.problems import ProblemLog

SPLITS = ("train", "validation", "test")


def deal(folder, rows, **wishes):
    """Check rows and return the examples by split."""
    with ProblemLog() as problems:
        checked = check(factories.jsonl(*rows), "a.jsonl", Wishes(**wishes), folder, problems)
    files = {split: (folder / f"{split}.jsonl").read_text().splitlines() for split in SPLITS}
    return checked, {split: [json.loads(line) for line in lines] for split, lines in files.items()}


def ids(split):
    return {example["id"] for example in split}


def test_three_splits_have_exactly_their_shares_and_depend_on_nothing_else(tmp_path):
    rows = [factories.row(id=f"r{number}") for number in range(200)]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, splits = deal(tmp_path / "a", rows, validation_share=0.1, test_share=0.2)
    _, again = deal(tmp_path / "b", list(reversed(rows)), validation_share=0.1, test_share=0.2)
    assert first.counts == {"train": 140, "validation": 20, "test": 40}
    assert {name: ids(split) for name, split in splits.items()} == {n: ids(s) for n, s in again.items()}


def test_a_longer_version_hardly_moves_a_row(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    rows = [factories.row(id=f"r{number}") for number in range(500)]
    _, short = deal(tmp_path / "a", rows[:450], test_share=0.1)
    _, long = deal(tmp_path / "b", rows, test_share=0.1)
    moved = sum(len(ids(short[split]) - ids(long[split])) for split in SPLITS)
    assert moved < 30


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 12)), min_size=12, max_size=60))
def test_no_group_and_no_question_is_ever_in_two_splits(tmp_path_factory, kinds):
    folder = tmp_path_factory.mktemp("deal")
    rows = [
        factories.row(
            id=str(number), input=f"question {question}", **({"group": f"g{group}"} if group else {})
        )
        for number, (group, question) in enumerate(kinds)
    ]
    try:
        _, splits = deal(folder, rows, validation_share=0.3, test_share=0.2)
    except DomainError as error:
        assert error.code == "empty_split"
        return
    places = defaultdict(set)
    for split, examples in splits.items():
        for example in examples:
            places["q", example["input"]].add(split)
            if "group" in example:
                places["g", example["group"]].add(split)
    assert sum(map(len, splits.values())) == len(rows)
    assert {len(found) for found in places.values()} == {1}


def test_the_guard_guards(tmp_path, monkeypatch):
    """The control: with every row on its own, the same rows do leak."""
    monkeypatch.setattr(dealing.Index, "link", lambda index: index._write())
    rows = [factories.row(id=str(number), input=f"{number % 5}") for number in range(100)]
    _, splits = deal(tmp_path, rows, validation_share=0.3, test_share=0.2)
    asked = [{example["input"] for example in examples} for examples in splits.values()]
    assert set.intersection(*asked)


def test_one_large_group_does_not_leave_validation_empty(tmp_path):
    rows = [
        factories.row(id=str(number), group="big" if number < 60 else f"g{number % 2}")
        for number in range(100)
    ]
    checked, splits = deal(tmp_path, rows, validation_share=0.1)
    assert checked.counts["validation"] == 20
    assert len({example["group"] for example in splits["validation"]}) == 1


def test_a_row_that_asks_for_the_split_its_twin_is_not_in_is_refused_with_its_line(tmp_path):
    rows = [
        factories.row(id="a", input="same", split="train"),
        factories.row(id="b", input="other", split="validation"),
        factories.row(id="c", input="same", split="test"),
    ]
    with pytest.raises(DomainError) as caught:
        deal(tmp_path, rows)
    (problem,) = caught.value.problems
    assert (problem["line"], problem["field"]) == (3, "split")
    assert "training data" in problem["message"]


def test_rows_that_follow_one_that_chose_its_split_go_with_it(tmp_path):
    rows = [factories.row(id=str(n), group="told") for n in range(5)] + [
        factories.row(id="x", group="told", split="test"),
        *(factories.row(id=f"r{n}") for n in range(20)),
    ]
    _, splits = deal(tmp_path, rows)
    assert {example["id"] for example in splits["test"]} == {"0", "1", "2", "3", "4", "x"}


def test_the_shares_must_leave_something_to_train_on():
    for wishes in (
        Wishes(validation_share=0.6, test_share=0.4),
        Wishes(test_share=-0.1),
        Wishes(validation_share=0),
    ):
        with pytest.raises(DomainError):
            wishes.require_valid()


def test_skipped_rows_leave_the_others_where_they_are(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    rows = [factories.row(id=f"r{number}") for number in range(50)]
    _, clean = deal(tmp_path / "a", rows)
    bad = [*rows[:10], b"{", *rows[10:], factories.row(id="r3")]
    with ProblemLog() as problems:
        check(factories.jsonl(*bad), "a.jsonl", Wishes(skip_bad_rows=True), tmp_path / "b", problems)
    assert problems.rows == 2
    for split in SPLITS:
        name = f"{split}.jsonl"
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert clean["train"]


def test_the_report_has_every_problem_and_no_formula(tmp_path):
    report = tmp_path / "problems.csv"
    rows = [factories.row(id=f"r{n}", **{"=cmd()": 1}) for n in range(1500)]
    with ProblemLog(report) as problems, pytest.raises(DomainError):
        check(factories.jsonl(factories.row(), *rows), "a.jsonl", Wishes(), tmp_path, problems)
    lines = report.read_text().splitlines()
    assert len(lines) == 1501
    assert len(problems.shown) == 1000
    assert "'=cmd()" in lines[1]
    assert io.StringIO(lines[1]).read().startswith("2,'=cmd()")
