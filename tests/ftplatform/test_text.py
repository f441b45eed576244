"""Ranges, significant digits and moments as text."""

from datetime import UTC, datetime, timedelta, timezone
from functools import partial

import pytest

from ftplatform.text import numbers, values

ONE_DIGIT = partial(numbers.percent, digits=1)


@pytest.mark.parametrize(
    ("low", "high", "form", "text"),
    [
        (0.791, 0.924, ONE_DIGIT, "79.1 to 92.4\xa0%"),
        (-0.03, 0.045, numbers.points, "−3.0 to +4.5\xa0pp"),
        (-0.5, 1.25, numbers.signed, "−0.50 to +1.25"),
        (None, 1, ONE_DIGIT, "–"),
        (0.1, float("nan"), ONE_DIGIT, "–"),
    ],
)
def test_a_range_says_its_unit_once(low, high, form, text):
    assert numbers.span(low, high, form) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.03629, 2, "0.036"),
        (0.0004567, 3, "0.000457"),
        (350, 2, "350"),
        (12_400, 4, "12,400"),
        (1.2743, 4, "1.274"),
    ],
)
def test_a_measured_number_keeps_its_significant_digits(value, digits, text):
    assert numbers.figure(value, digits) == text


def test_a_moment_is_given_in_utc():
    there = datetime(2026, 11, 28, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert values.moment(there) == values.moment(there.astimezone(UTC)) == "27 Nov 2026, 23:30 UTC"


@pytest.mark.parametrize(
    ("text", "paragraphs"),
    [
        (None, []),
        (" \n\n ", []),
        ("one\nline\n \n\nanother", ["one line", "another"]),
    ],
)
def test_lines_of_a_paragraph_are_joined(text, paragraphs):
    assert values.paragraphs(text) == paragraphs
