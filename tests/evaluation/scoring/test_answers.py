"""What of a response counts: the part after the last thought, each name on its own path, each digit of a number."""

import json
import time
from decimal import Decimal

import pytest

from evaluation.scoring import Scorer
from evaluation.scoring.matching import FieldRule, Inference, answer, match
from evaluation.scoring.matching.field_rule import Json

ANSWER = '{"decision": "refund"}'
DECOY = '{"decision": "reject"}'


def statuses(found):
    return {field.field: field.status for field in found.fields}


@pytest.mark.parametrize(
    ("text", "status", "exact"),
    [
        (f"<think>Perhaps {DECOY}? No.</think>\n{ANSWER}", "strict", True),
        (f"\ufeff \n<think>\n{DECOY}\n</think>\n\n{ANSWER}\n", "strict", True),
        (f"<think>{ANSWER}</think>{DECOY}", "strict", False),
        (f"Perhaps {DECOY}? No.</think>{ANSWER}", "strict", True),
        (f"<think>a</think> {DECOY} <think>b</think> {ANSWER}", "strict", True),
        (f"<think>The tag </think> ends it. {DECOY}</think>{ANSWER}", "strict", True),
        (f"<think>```json\n{DECOY}\n```</think>\n```json\n{ANSWER}\n```", "fenced", True),
        (f"<think>{DECOY}</think>So: {ANSWER}", "trailing_text", True),
        (f"<think>Perhaps {ANSWER}", "invalid", False),
        (f"<think>a</think><think>Perhaps {ANSWER}", "invalid", False),
        (f"<think>{ANSWER}</think>", "invalid", False),
        (f"{ANSWER[:-1]}, \"note\": \"</think>\"}}", "strict", True),
        (f"<think>a</think>{ANSWER[:-1]}, \"note\": \"<think></think>\"}}", "strict", True),
    ],
)  # fmt: skip
def test_json_is_read_after_the_last_thought(text, status, exact):
    found = match({"decision": "refund"}, text)
    assert (found.json_status, found.exact) == (status, exact)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("no thought", "no thought"),
        ("Write <think> to begin.", "Write <think> to begin."),
        ("<think>a</think>b", "b"),
        ("<think></think>", ""),
        ("<think>a", ""),
        ("", ""),
    ],
)
def test_the_answer_follows_the_last_thought(text, rest):
    assert answer(text) == rest


def test_labels_prose_and_expected_outputs_are_matched_without_thoughts():
    thought = "<think>It could be a complaint.</think>\n"
    assert match("refund", f"{thought}Refund").exact is True
    assert match("refund", "<think>refund</think>complaint").exact is False
    assert match(f"{thought}refund", "refund").exact is True
    assert match(thought + ANSWER, ANSWER).exact is True
    prose = "We are sorry. " * 10
    assert match(prose, thought + prose).fields[0].similarity == 1.0
    inference = Inference()
    inference.add(thought + ANSWER)
    inference.add(f"{thought}refund")
    assert {path: rule.kind for path, rule in inference.declared().items()} == {
        "decision": "text",
        "response": "text",
    }


def test_measures_and_checks_read_the_answer_only():
    def score(text, check=""):
        return Scorer({}, None, check).score(
            instruction="Help.", content="", tags={}, expected=None, texts=[text]
        )

    ((_, measures),) = score("<think>Dear, dear. I am sorry to think so long.</think>Three plain words")
    assert (measures["words"], measures["politeness"], measures["empty"]) == (3, 0, False)
    assert score("<think>That is all")[0][1]["empty"] is True
    for text, passed in (("<think>What an idiot.</think>Hello", True), ("<think>Hi</think>You idiot", False)):
        assert score(text, "toxicity")[0][1]["passed"] is passed
    assert score("<think>I can't help</think>Here it is", "refusals")[0][1]["passed"] is True


def test_a_schema_is_checked_on_the_answer():
    scorer = Scorer({}, {"required": ["decision"], "properties": {"decision": {"const": "refund"}}})
    assert scorer.schema_valid(f"<think>{DECOY}</think>{ANSWER}") is True
    assert scorer.schema_valid(f"<think>{ANSWER}</think>{DECOY}") is False


# ---- names

DOTTED: dict[str, Json] = {"a.b": 1, "a": {"b": 2}}


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ({"a.b": 1, "a": {"b": 2}}, {r"a\.b": "match", "a.b": "match"}),
        ({"a.b": 99, "a": {"b": 2}}, {r"a\.b": "mismatch", "a.b": "match"}),
        ({"a.b": 1, "a": {"b": 99}}, {r"a\.b": "match", "a.b": "mismatch"}),
        ({"a": {"b": 2}}, {r"a\.b": "missing", "a.b": "match"}),
        ({"a.b": 1}, {r"a\.b": "match", "a.b": "missing"}),
    ],
)
def test_a_name_with_a_dot_is_not_a_path(response, expected):
    for wanted in (DOTTED, json.dumps(DOTTED)):
        assert statuses(match(wanted, json.dumps(response))) == expected


@pytest.mark.parametrize("name", [".", "..", "a.", ".a", "\\", "a\\", "a\\.b", "a.b.c", ""])
def test_no_two_names_share_a_path(name):
    expected: dict[str, Json] = {name: 1, "a": {"b": {"c": 2}}, "a\\": {"b": 3}, "": {"": 4, "a": 5}}
    found = match(expected, json.dumps(expected))
    assert found.exact is True and found.extra_fields == ()
    assert len(statuses(found)) == len(found.fields) >= 4


def test_an_unexpected_name_with_a_dot_is_an_extra_field():
    found = match({"a": {"b": 2}}, '{"a": {"b": 2}, "a.b": 2, "a.c": {"d": 1}}')
    assert (found.exact, found.extra_fields) == (True, (r"a\.b", r"a\.c"))


def test_rules_name_the_path_and_old_rules_the_plain_name():
    text = json.dumps({"a.b": 9, "a": {"b": 2}})
    assert match(DOTTED, text, {r"a\.b": FieldRule("ignored")}).exact is True
    assert match({"a.b": 1}, '{"a.b": 9}', {"a.b": FieldRule("ignored")}).exact is None
    inference = Inference()
    inference.add(DOTTED)
    assert set(inference.declared()) == {r"a\.b", "a.b"}


def test_repeated_names_are_reported_on_both_sides():
    found = match('{"a": 1, "a": 2}', '{"a": 2, "b": {"c": 1, "c": 2}}')
    assert found.problems == ("expected output: repeated names: a", "repeated names: c")
    assert found.exact is True
    assert match('{"a": 1}', '{"a": 1}').problems == ()


# ---- numbers

BIG = 2**53


@pytest.mark.parametrize(
    ("expected", "response", "status"),
    [
        (BIG, str(BIG), "match"),
        (BIG, str(BIG + 1), "mismatch"),
        (BIG + 1, f"{float(BIG)}", "mismatch"),
        (10**23, "1e23", "match"),
        (10**400, str(10**400), "match"),
        (10**400, str(10**400 + 1), "mismatch"),
        (3, "3.0", "match"),
        (3, "3e0", "match"),
        (3, "30e-1", "match"),
        (0, "-0", "match"),
        (0, "-0.0", "match"),
        (-0.0, "0", "match"),
        (0, "1e-400", "mismatch"),
        (0.1, "0.10", "match"),
        (0.3, "0.30000000000000004", "mismatch"),
        (1.2345678901234567e19, "12345678901234567890.25", "mismatch"),
        (1, "true", "wrong_type"),
        (1, '"1"', "wrong_type"),
        (1, "null", "wrong_type"),
        (0, "false", "wrong_type"),
    ],
)
@pytest.mark.parametrize("kind", ["number", "exact"])
def test_numbers_are_compared_as_the_decimals_written(expected, response, status, kind):
    found = match({"n": expected}, f'{{"n": {response}}}', {"n": FieldRule(kind)})
    assert statuses(found) == {"n": status}
    listed = match({"n": [expected]}, f'{{"n": [{response}]}}')
    assert listed.exact is (status == "match")
    nested = match({"n": [{"m": [expected]}]}, f'{{"n": [{{"m": [{response}]}}]}}', {"n": FieldRule("set")})
    assert nested.exact is (status == "match")


@pytest.mark.parametrize(
    "number",
    [
        "9" * 700,
        "9" * 5000,
        "-" + "7" * 5000,
        "12345678901234567890.25",
        "1e-400",
        "0.1000000000000000000001",
    ],
)
def test_no_digit_of_an_expected_text_is_lost(number):
    expected = f'{{"n": {number}, "l": [{number}]}}'
    assert match(expected, expected).exact is True
    changed = expected.replace(number, number[:-1] + ("8" if number[-1] != "8" else "6"), 1)
    found = match(expected, changed)
    assert statuses(found) == {"n": "mismatch", "l": "match"}


@pytest.mark.parametrize(
    ("expected", "got", "settings", "status"),
    [
        (0.2, "0.3", {"tolerance": 0.1}, "match"),
        (BIG, str(BIG + 1), {"tolerance": 1}, "match"),
        (BIG, str(BIG + 2), {"tolerance": 1}, "mismatch"),
        (10**400, str(10**400 + 1), {"tolerance": 1}, "match"),
        (10**400, str(10**400 + 10**399), {"relative_tolerance": 0.05}, "mismatch"),
        (-200, "-190", {"relative_tolerance": 0.05}, "match"),
        (1, "1e-999999", {"tolerance": 1}, "match"),
    ],
)
def test_tolerances_hold_for_numbers_of_any_size(expected, got, settings, status):
    found = match({"n": expected}, f'{{"n": {got}}}', {"n": FieldRule("number", **settings)})
    assert statuses(found) == {"n": status}


@pytest.mark.parametrize(
    ("number", "problem"),
    [("1e999", "a number is too large"), ("1e-9999999999999999999", "a number is too small")],
)
def test_a_number_that_no_reader_can_hold_is_invalid(number, problem):
    found = match({"n": 1}, f'{{"n": {number}}}')
    assert (found.json_status, found.problems) == ("invalid", (problem,))


def test_members_of_lists_keep_their_types():
    rule = {"l": FieldRule("set")}
    assert match({"l": [1, True, "1", None]}, '{"l": ["1", 1, true, null]}', rule).exact is True
    assert match({"l": [1]}, '{"l": [true]}', rule).exact is False
    assert match({"l": [{"a": 1, "b": 2}]}, '{"l": [{"b": 2.0, "a": 1}]}', rule).exact is True
    assert match({"l": [{"a": 1}]}, '{"l": [{"a": true}]}', rule).exact is False
    assert match({"l": [[1, 2]]}, '{"l": [[2, 1]]}', rule).exact is False


@pytest.mark.parametrize(
    ("schema", "number", "valid"),
    [
        ({"type": "integer"}, "9" * 1000, True),
        ({"multipleOf": 0.5}, "9" * 1000, False),
        ({"type": "number", "maximum": 1}, "1e-400", True),
        ({"type": "number", "minimum": 1.5}, "12345678901234567890.25", True),
        ({"type": "integer"}, "9" * 100_000, False),
    ],
)
def test_a_schema_takes_numbers_of_any_length(schema, number, valid):
    assert Scorer({}, {"properties": {"n": schema}}).schema_valid(f'{{"n": {number}}}') is valid


def test_values_of_a_match_are_kept_as_written():
    (field,) = match({"n": 1}, '{"n": 12345678901234567890.25}').fields
    assert field.got == Decimal("12345678901234567890.25")


@pytest.mark.parametrize(
    "text",
    [
        "</think>" * 120_000,
        "<think>" * 140_000,
        '{"a":"</think>"}' * 60_000,
        '{"n": ' + "7" * 1_000_000 + "}",
    ],
)
def test_a_hostile_megabyte_takes_linear_time(text):
    started = time.process_time()
    match({"n": 1, "a": "x"}, text, {"n": FieldRule("number", tolerance=1)})
    assert time.process_time() - started < 5
