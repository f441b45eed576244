"""The hash of what a campaign promised."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from evaluation.services import protocol

texts = st.text(st.characters(exclude_categories=["Cs"]))
contents = st.none() | st.dictionaries(texts, texts | st.lists(texts) | st.dictionaries(texts, texts))


@given(st.tuples(texts, st.integers(0, 2**31), texts, contents, texts, texts))
def test_both_writers_of_canonical_rows_write_the_same_bytes(row):
    """Campaigns that opened before the quick one was taken must stay intact."""
    assert orjson.dumps(row, option=orjson.OPT_SORT_KEYS) == protocol._canonical(list(row))
