"""Schemas: what is inferred accepts what it was inferred from, and what people write cannot hurt."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftplatform.errors import DomainError
from tests import factories
from training.intake import schemas
from training.intake.checking import Wishes, check
from training.intake.problems import ProblemLog
from training.intake.schemas import Checker, Inference

# What no database can store never gets this far: see `rows`.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def inferred(*values):
    inference = Inference()
    for value in values:
        inference.add(value)
    return inference.schema()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(VALUES, min_size=1, max_size=8))
def test_an_inferred_schema_is_valid_and_accepts_every_row_it_saw(values):
    checker = Checker(schemas.check(inferred(*values)))
    assert [list(checker.problems(value)) for value in values] == [[] for _ in values]


def test_an_inferred_schema_refuses_what_no_row_had():
    checker = Checker(inferred({"decision": "Yes", "urgent": True}, {"decision": "No", "urgent": False}))
    assert [field for field, _ in checker.problems({"decision": "Yes"})] == ["output"]
    assert [field for field, _ in checker.problems({"decision": 3, "urgent": True})] == ["output.decision"]
    assert list(checker.problems({"descision": "Yes", "decision": "No", "urgent": True}))


def test_a_key_that_is_sometimes_missing_is_not_required():
    assert inferred({"a": 1}, {"a": 1, "b": [1.5]}) == {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "array", "items": {"type": "number"}}},
        "required": ["a"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Not JSON"),
        ("[]", "JSON object"),
        ('{"title": "\\u0000"}', "NUL"),
        ('{"title": "\\ud800"}', "surrogate"),
        ('{"type": "objekt"}', "schema.type"),
        ('{"$ref": "http://example.org/x"}', "references"),
        ('{"properties": {"a": {"pattern": "(a+)+$"}}}', "schema.properties.a: pattern"),
        ('{"anyOf": [{"$dynamicRef": "#x"}]}', "schema.anyOf[0]"),
        ('{"$schema": "http://json-schema.org/draft-04/schema#"}', "only https"),
        ('{"properties": {"a": 3}}', "schema.properties.a"),
        ("[" * 60_000, "Not JSON"),
        ('{"description": "' + "x" * 70_000 + '"}', "64 KiB"),
        ('{"not":' * 30 + "{}" + "}" * 30, "levels"),
    ],
)
def test_a_schema_that_is_wrong_or_dangerous_is_refused_saying_where(text, said):
    with pytest.raises(DomainError) as caught:
        schemas.parse(text)
    assert caught.value.code == "invalid_schema"
    assert said in caught.value.detail or "nested too deeply" in caught.value.detail


def test_every_row_is_checked_and_each_reason_named(tmp_path):
    schema = {"type": "object", "required": ["decision"], "properties": {"decision": {"enum": ["Yes", "No"]}}}
    rows = [factories.row(id=f"r{n}") for n in range(20)]
    rows[3]["output"], rows[9]["output"] = {"verdict": 1}, {"decision": "Maybe"}
    with ProblemLog() as problems, pytest.raises(DomainError, match="2 of 20 rows"):
        check(factories.jsonl(*rows), "a.jsonl", Wishes(schema=schema), tmp_path, problems)
    assert [(item["line"], item["field"]) for item in problems.shown] == [
        (4, "output"),
        (10, "output.decision"),
    ]
    assert "'Maybe' is not one of ['Yes', 'No']" in problems.shown[1]["message"]
    assert json.dumps(problems.shown)
