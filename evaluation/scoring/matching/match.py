"""Match a response against an expected output, field by field."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from evaluation.scoring.matching.field_rule import FieldRule, Json, Kind, Status, compare, infer, normalised
from evaluation.scoring.matching.response import Found, JsonStatus, answer, find_object, printable

# Name of the only field if the expected output is not a JSON object.
WHOLE_RESPONSE = "response"
# More deeply nested objects are compared as one value.
_MAX_DEPTH = 12
# A dot inside a name is escaped in a path, so that the name `a.b` is not the field `b` of the object `a`.
_INSIDE_A_NAME = re.compile(r"[.\\]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class FieldMatch(NamedTuple):
    """Result for one expected field.

    A nested field is named by its path: names joined by dots. Dots and backslashes inside a name have a backslash
    before them.
    """

    field: str
    status: Status
    expected: Json
    got: Json
    comparison: Kind
    similarity: float | None


@dataclass(frozen=True)
class Match:
    """Result of comparing one response.

    `score` is the share of compared fields that match, and `exact` says whether all match. Both are None if
    nothing is compared. Free text and ignored fields are not compared, but a free text that is missing or not
    a string counts as a field that does not match.
    """

    json_status: JsonStatus
    fields: tuple[FieldMatch, ...]
    extra_fields: tuple[str, ...]
    exact: bool | None
    score: float | None
    problems: tuple[str, ...]


def match(
    expected: Mapping[str, Json] | str,
    response_text: str,
    field_rules: Mapping[str, FieldRule] | None = None,
) -> Match:
    """Compare `response_text` with `expected`: an object, its JSON text, or any other text.

    `field_rules` maps field paths to declared rules. Rules of other fields are inferred from the expected
    value (see `infer`). Text that is not a JSON object is compared as a whole, as the field `response`. On both
    sides, only what follows the last thought counts (see `answer`). No response raises an error.
    """
    return Wanted(expected, field_rules or {}).match(response_text)


class Wanted:
    """An expected output, prepared for comparison with several responses (see `match`)."""

    def __init__(self, expected: Mapping[str, Json] | str, declared: Mapping[str, FieldRule]) -> None:
        read = find_object(expected) if isinstance(expected, str) else Found("strict", dict(expected), ())
        self._shape = read.value if read.status == "strict" else None
        self._declared = declared
        self._problems = tuple(f"expected output: {problem}" for problem in read.problems if self._shape)
        self._objects: set[str] = set()
        found = (
            {WHOLE_RESPONSE: answer(str(expected))}
            if self._shape is None
            else dict(leaves(self._shape, self._shape, declared, opened=self._objects))
        )
        self._fields = {
            path: (value, rule_of(path, declared) or infer(value)) for path, value in found.items()
        }

    def match(self, response_text: str) -> Match:
        """Compare one response."""
        text = printable(response_text)
        if self._shape is None:
            return _summary("not_json_expected", self._held_against({WHOLE_RESPONSE: answer(text)}), (), ())
        found = find_object(text)
        got = dict(leaves(found.value or {}, self._shape, self._declared))
        fields = self._held_against(got)
        extra = tuple(path for path in got if path not in self._fields and path not in self._objects)
        outside = (
            _outside(field, self._fields[field.field][1]) for field in fields if field.status == "mismatch"
        )
        problems = (*self._problems, *found.problems, *filter(None, outside))
        return _summary(found.status, fields, extra, problems)

    def _held_against(self, got: Mapping[str, Json]) -> tuple[FieldMatch, ...]:
        return tuple(_field(path, *wanted, got) for path, wanted in self._fields.items())


def rule_of(path: str, declared: Mapping[str, FieldRule]) -> FieldRule | None:
    """The declared rule of a path; rules stored before names with dots were escaped are found by the plain path."""
    rule = declared.get(path)
    if rule is None and "\\" in path:
        rule = declared.get(_ESCAPED.sub(r"\1", path))
    return rule


def leaves(
    value: Mapping[str, Json],
    shape: Mapping[str, Json],
    declared: Mapping[str, FieldRule] | None = None,
    prefix: str = "",
    depth: int = 0,
    opened: set[str] | None = None,
) -> Iterator[tuple[str, Json]]:
    """Values by path.

    An object is split into its fields if the expected value is an object too and has no rule of its own. The paths
    of these objects are added to `opened`.
    """
    for name, item in value.items():
        path, inner = prefix + _escaped(name), shape.get(name)
        if (
            isinstance(inner, dict)
            and isinstance(item, dict)
            and inner
            and depth < _MAX_DEPTH
            and rule_of(path, declared or {}) is None
        ):
            if opened is not None:
                opened.add(path)
            yield from leaves(item, inner, declared, path + ".", depth + 1, opened)
        else:
            yield path, item


def _escaped(name: str) -> str:
    return _INSIDE_A_NAME.sub(r"\\\g<0>", name) if "." in name or "\\" in name else name


def _field(path: str, expected: Json, comparison: FieldRule, got: Mapping[str, Json]) -> FieldMatch:
    if path not in got:
        status: Status = "ignored" if comparison.kind == "ignored" else "missing"
        return FieldMatch(path, status, expected, None, comparison.kind, None)
    outcome = compare(expected, got[path], comparison)
    return FieldMatch(path, outcome.status, expected, got[path], comparison.kind, outcome.similarity)


def _outside(field: FieldMatch, rule: FieldRule) -> str:
    """A message if the value is not among the field's allowed values; empty if it is allowed or not restricted."""
    if not rule.options or not isinstance(field.got, str) or normalised(field.got) in rule.allowed:
        return ""
    return f"{field.field}: {field.got[:60]!r} is none of the {len(rule.options)} allowed values"


def _summary(
    status: JsonStatus, fields: tuple[FieldMatch, ...], extra: tuple[str, ...], problems: tuple[str, ...]
) -> Match:
    compared = [field for field in fields if field.status not in ("similar", "ignored")]
    matching = sum(field.status == "match" for field in compared)
    return Match(
        json_status=status,
        fields=fields,
        extra_fields=extra,
        exact=matching == len(compared) if compared else None,
        score=matching / len(compared) if compared else None,
        problems=problems,
    )
