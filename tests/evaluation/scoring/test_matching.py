import json
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evaluation.scoring.matching.field_rule import FieldRule, Json, infer, normalised, similarity
from evaluation.scoring.matching.match import match

RESPONSE = "We are very sorry about the late parcel and will send the refund within three working days."
EXPECTED: dict[str, Json] = {
    "intent": "refund",
    "amount": 12.5,
    "urgent": True,
    "tags": ["parcel", "late"],
    "customer": {"name": "Ann", "id": 3},
    "customer_response": RESPONSE,
}


def _statuses(found):
    return {field.field: field.status for field in found.fields}


def _change(**changes):
    return json.dumps({**EXPECTED, **changes})


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (json.dumps(EXPECTED), "strict"),
        (f"  {json.dumps(EXPECTED, indent=2)}\n", "strict"),
        (f"```json\n{json.dumps(EXPECTED)}\n```", "fenced"),
        (f"Here it is:\n```\n{json.dumps(EXPECTED)}\n```\nAnything else?", "fenced"),
        (json.dumps(EXPECTED) + "\nI hope this helps.", "trailing_text"),
        ("For {customer}: " + json.dumps(EXPECTED), "trailing_text"),
        (f"```json {json.dumps(EXPECTED)}```", "trailing_text"),
    ],
)
def test_the_object_is_found_and_the_way_is_named(text, status):
    found = match(EXPECTED, text)
    assert found.json_status == status
    assert found.exact is True
    assert found.score == 1.0
    assert found.problems == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the response holds no JSON object"),
        ("refund", "the response holds no JSON object"),
        ('{"intent": "refund"', "the response holds no JSON object"),
        ('["refund"]', "the response is JSON but not an object"),
        ('{"intent": NaN, "customer": {"name": "Ann"}}', "NaN is not allowed in JSON"),
        ('{"amount": 1e999}', "a number is too large"),
        ('{"a":' * 50_000, "the JSON is nested too deeply"),
        ("[" * 50_000, "the JSON is nested too deeply"),
    ],
)
def test_no_object_is_invalid_with_the_reason(text, problem):
    found = match(EXPECTED, text)
    assert found.json_status == "invalid"
    assert found.problems == (problem,)
    assert set(_statuses(found).values()) == {"missing"}
    assert (found.exact, found.score) == (False, 0.0)


def test_an_object_inside_a_broken_one_is_not_the_answer():
    assert match({"name": "Ann"}, '{"customer": {"name": "Ann"}, "oops').json_status == "invalid"


def test_every_fault_is_named_per_field():
    text = json.dumps(
        {
            "intent": " Refund",
            "amount": "12.5",
            "urgent": 1,
            "tags": ["late"],
            "customer": {"name": "Bob", "id": 3, "vip": False},
            "customer_response": "No.",
            "mood": "calm",
        }
    )
    found = match(EXPECTED, text)
    assert _statuses(found) == {
        "intent": "match",
        "amount": "wrong_type",
        "urgent": "wrong_type",
        "tags": "mismatch",
        "customer.name": "mismatch",
        "customer.id": "match",
        "customer_response": "similar",
    }
    assert found.extra_fields == ("customer.vip", "mood")
    assert found.score == pytest.approx(2 / 6)
    assert found.exact is False


def test_wording_of_free_text_never_counts():
    found = match(EXPECTED, _change(customer_response="Completely other words."))
    assert found.exact is True
    assert found.score == 1.0
    field = found.fields[-1]
    assert (field.status, field.similarity) == ("similar", 0.0)


@pytest.mark.parametrize("value", [None, 5, ["x"]])
def test_free_text_that_is_no_text_is_a_fault(value):
    found = match(EXPECTED, _change(customer_response=value))
    assert _statuses(found)["customer_response"] == "wrong_type"
    assert found.exact is False


def test_an_object_that_is_missing_or_something_else_loses_its_fields():
    for text in ('{"customer": "Ann"}', "{}"):
        found = match({"customer": {"name": "Ann"}}, text)
        assert _statuses(found) == {"customer.name": "missing"}
        assert found.extra_fields == ()


@pytest.mark.parametrize(
    ("comparison", "expected", "got", "status"),
    [
        (FieldRule("exact"), "Refund", "refund", "mismatch"),
        (FieldRule("exact"), 1, 1.0, "match"),
        (FieldRule("exact"), True, 1, "wrong_type"),
        (FieldRule("exact"), {"a": [1, True]}, {"a": [1, 1]}, "mismatch"),
        (FieldRule("exact"), None, None, "match"),
        (FieldRule("text"), "Straße  1", "STRASSE 1", "match"),
        (FieldRule("text"), "ﬁne", "fine", "match"),
        (FieldRule("text"), "a", 1, "wrong_type"),
        (FieldRule("number"), 3, 3.0, "match"),
        (FieldRule("number"), 3, 3.01, "mismatch"),
        (FieldRule("number", tolerance=0.1), 0.2, 0.3, "match"),
        (FieldRule("number", tolerance=0.1), 0.2, 0.31, "mismatch"),
        (FieldRule("number", relative_tolerance=0.05), 200, 190, "match"),
        (FieldRule("number", relative_tolerance=0.05), 200, 189, "mismatch"),
        (FieldRule("number"), 1, True, "wrong_type"),
        (FieldRule("number"), 1, 10**400, "mismatch"),
        (FieldRule("set"), ["A", "b"], ["B", "a", "a "], "match"),
        (FieldRule("set"), ["a", 1], ["a", 1.0], "match"),
        (FieldRule("set"), ["a"], ["a", "b"], "mismatch"),
        (FieldRule("set"), ["1"], [1], "mismatch"),
        (FieldRule("set"), ["a"], "a", "wrong_type"),
        (FieldRule("one_of", options=("low", "high")), "low", "LOW", "match"),
        (FieldRule("one_of", options=("low", "high")), "low", "high", "mismatch"),
        (FieldRule("one_of", options=("low", "high")), "lowest", "lowest", "mismatch"),
        (FieldRule("similar"), "a b", "a c", "similar"),
        (FieldRule("ignored"), "a", 5, "ignored"),
    ],
)
def test_comparisons(comparison, expected, got, status):
    found = match({"f": expected}, json.dumps({"f": got}), {"f": comparison})
    assert _statuses(found) == {"f": status}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "exact"),
        (None, "exact"),
        (3, "number"),
        ("refund request", "text"),
        ("a\nb", "similar"),
        ("one two three four five six seven eight nine", "similar"),
        (["a", 1], "set"),
        ([{"a": 1}], "exact"),
    ],
)
def test_undeclared_comparisons_follow_the_expected_value(value, kind):
    assert infer(value).kind == kind


def test_nothing_compared_has_no_score():
    found = match({"note": RESPONSE, "id": 1}, json.dumps({"note": "x"}), {"id": FieldRule("ignored")})
    assert (found.exact, found.score) == (None, None)
    assert _statuses(found) == {"note": "similar", "id": "ignored"}


def test_a_declared_object_is_one_field():
    declared = {"customer": FieldRule("exact")}
    found = match(EXPECTED, _change(customer={"name": "Ann", "id": 4}), declared)
    assert _statuses(found)["customer"] == "mismatch"


def test_expected_output_may_be_text():
    assert match(json.dumps(EXPECTED), json.dumps(EXPECTED)).exact is True
    label = match("refund", " Refund\n")
    assert (label.json_status, label.exact) == ("not_json_expected", True)
    prose = match(RESPONSE, RESPONSE.upper())
    assert (prose.exact, prose.fields[0].similarity) == (None, 1.0)


def test_repeated_names_count_last_and_are_reported():
    found = match({"a": 1}, '{"a": 2, "a": 1, "b": 0, "b": 0}')
    assert found.exact is True
    assert found.problems == ("repeated names: a, b",)


def test_byte_order_mark_and_lone_surrogates_become_storable():
    found = match({"a": "x", "b": ["y"]}, '\ufeff{"a": "\\ud800", "b": ["\\udfff"], "\\ud801": 1}')
    assert found.problems == ("the response starts with a byte order mark",)
    json.dumps([field.got for field in found.fields], ensure_ascii=False).encode()
    assert found.extra_fields == ("\ufffd",)
    assert match("plain", "\udcff").fields[0].got == "\ufffd"


@pytest.mark.parametrize(
    "text",
    [
        "word " * 200_000,
        "{" * 1_000_000,
        "```" * 300_000,
        json.dumps({"a": "word " * 200_000}),
        "{" + ",".join(f'"k{i % 999}":1' for i in range(100_000)) + "}",
        '{"a":"' * 100_000,
    ],
)
def test_a_megabyte_is_matched_quickly(text):
    started = time.process_time()
    match({"a": "word " * 200_000}, text)
    assert time.process_time() - started < 5


def test_similarity_by_hand():
    # Words a b c and pairs ab bc against a b d, ab bd: three of ten grams shared twice.
    assert similarity("a b c", "A b d") == pytest.approx(2 * 3 / 10)
    assert similarity("", "") == 1.0
    assert similarity("!!", "??") == 0.0
    assert similarity("退款已处理", "退款未处理") == pytest.approx(2 * (4 + 2) / 18)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"kind": "fuzzy"}, "unknown comparison"),
        ({"kind": "number", "tolerance": -1}, "negative"),
        ({"kind": "one_of"}, "options"),
        ({"kind": "text", "options": ("a",)}, "options"),
    ],
)
def test_contradictory_comparisons_are_refused(settings_, message):
    with pytest.raises(ValueError, match=message):
        FieldRule(**settings_)


# Expected outputs are stored texts, so NUL and lone surrogates are not among them.
TEXT = st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(alphabet="abcdef", min_size=1, max_size=4), VALUES, max_size=5)


@settings(max_examples=150, deadline=None)
@example(expected={"a": {"\x07": None, "</think>": None}})
@given(expected=OBJECTS)
def test_the_expected_output_matches_itself(expected):
    found = match(expected, json.dumps(expected))
    assert found.exact is not False
    assert found.extra_fields == ()
    assert all(field.similarity in (None, 1.0) for field in found.fields)


@settings(max_examples=150, deadline=None)
@given(expected=OBJECTS, text=st.text(alphabet=st.characters(), max_size=60))
def test_no_text_raises(expected, text):
    found = match(expected, text)
    assert found.score is None or 0 <= found.score <= 1


@settings(max_examples=100, deadline=None)
@given(left=st.text(max_size=40), right=st.text(max_size=40))
def test_similarity_is_symmetric_and_bounded(left, right):
    assert similarity(left, right) == pytest.approx(similarity(right, left))
    assert 0 <= similarity(left, right) <= 1
    assert similarity(left, left) == 1
    assert normalised(normalised(left)) == normalised(left) or "\u0345" in left
