"""The time left, and how far it may be off."""

import itertools

import pytest

from worker.forecast import Pace


def pace(*seconds_of_each_step: float, total: int = 100) -> Pace:
    times = itertools.accumulate((0.0, *seconds_of_each_step))
    made = Pace(clock=lambda: next(times))
    for done in range(len(seconds_of_each_step) + 1):
        made.report(done, total)
    return made


def test_nothing_is_said_before_there_is_a_pace():
    assert pace().forecast() is None


def test_a_steady_pace_leaves_no_range():
    left = pace(*[2.0] * 16).forecast()
    assert left is not None and (left.seconds, left.low, left.high) == (168, 168, 168)


def test_the_range_spans_the_quickest_and_the_slowest_stretch():
    left = pace(*[1.0] * 8, *[3.0] * 8).forecast()
    assert left is not None and (left.seconds, left.low, left.high) == (84 * 2, 84 * 1, 84 * 3)


def test_too_few_steps_give_no_range():
    left = pace(1.0, 3.0).forecast()
    assert left is not None and (left.seconds, left.low, left.high) == (98 * 2, None, None)


def test_a_repeated_report_changes_nothing():
    made = pace(1.0, 1.0)
    made._clock = lambda: pytest.fail("the clock was asked")
    made.report(2, 100)
