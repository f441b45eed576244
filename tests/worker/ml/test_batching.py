"""The order of the rows: every row once, the same for the same seed and epoch, little padding when grouped."""

import random

import pytest

from worker.ml.batching import TrainingOrder, parts_of_a_batch


def order(lengths, *, epoch=0, kind="grouped", rows_per_step=8, seed=20):
    made = TrainingOrder(lengths, rows_per_step=rows_per_step, kind=kind, seed=seed)
    made.set_epoch(epoch)
    return list(made)


DRAW = random.Random(3)
LENGTHS = [DRAW.randint(5, 500) for _ in range(1003)]


@pytest.mark.parametrize("kind", ["grouped", "shuffled", "parted"])
def test_every_row_is_read_once_an_epoch_in_an_order_of_its_own(kind):
    first, second = order(LENGTHS, kind=kind), order(LENGTHS, kind=kind, epoch=1)
    assert sorted(first) == sorted(second) == list(range(len(LENGTHS)))
    assert first == order(LENGTHS, kind=kind) != second
    assert first != order(LENGTHS, kind=kind, seed=21)


def padding(rows, size):
    batches = [rows[start : start + size] for start in range(0, len(rows), size)]
    padded = sum(max(LENGTHS[row] for row in batch) * len(batch) for batch in batches)
    return padded / sum(LENGTHS)


def test_grouped_rows_need_little_padding():
    assert padding(order(LENGTHS, kind="shuffled"), 8) > 1.5
    assert padding(order(LENGTHS), 8) < 1.06


def test_parting_leaves_every_step_its_rows_and_saves_padding():
    mixed, sorted_within = order(LENGTHS, kind="shuffled"), order(LENGTHS, kind="parted")
    assert mixed != sorted_within
    for start in range(0, len(LENGTHS), 8):
        assert set(mixed[start : start + 8]) == set(sorted_within[start : start + 8])
    assert padding(sorted_within, 2) < 1.15 < 1.5 < padding(mixed, 8)


@pytest.mark.parametrize(
    ("lengths", "part_tokens", "parts"),
    [(LENGTHS, 64, 4), ([100] * 1000, 64, 1), (LENGTHS, 4096, 1), (LENGTHS, 0, 8), ([7], 64, 1)],
)
def test_a_batch_is_cut_only_where_that_computes_less(lengths, part_tokens, parts):
    assert parts_of_a_batch(lengths, batch_size=8, rows_per_step=8, part_tokens=part_tokens) == parts


def test_the_longest_row_comes_in_the_first_step_and_the_incomplete_step_last():
    rows = order(LENGTHS)
    whole = rows[: len(rows) - len(rows) % 8]
    assert max(whole, key=LENGTHS.__getitem__) in rows[:8]
    assert len(rows) % 8 == 3 and len(rows[-3:]) == 3


def test_fewer_rows_than_a_step_are_one_incomplete_step():
    assert sorted(order([5, 9, 7])) == [0, 1, 2]
