"""The order of the rows: every row once, the same for the same seed and epoch."""

from worker.ml.batching import TrainingOrder

ROWS = 1003


def order(*, epoch=0, seed=20):
    made = TrainingOrder(ROWS, seed=seed)
    made.set_epoch(epoch)
    return list(made)


def test_every_row_is_read_once_an_epoch_in_an_order_of_its_own():
    first, second = order(), order(epoch=1)
    assert sorted(first) == sorted(second) == list(range(ROWS))
    assert first == order() != second
    assert first != order(seed=21)
