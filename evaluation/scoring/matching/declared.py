"""Comparison rules for the fields of a prompt set: inferred once from its expected outputs, then declared."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from evaluation.scoring.matching.field_rule import FieldRule, Json, infer
from evaluation.scoring.matching.match import WHOLE_RESPONSE, leaves
from evaluation.scoring.matching.response import answer, find_object

Declared = dict[str, FieldRule]
MOST_FIELDS = 200
_MOST_OPTIONS = 12
_PROMPTS_PER_OPTION = 5


class Inference:
    """Infer one rule per field path that fits every expected output with the field; at most 200 fields.

    A field with prose in any output is free text in all. A field of labels with few values is `one_of`. A
    field with mixed types is compared exactly.
    """

    def __init__(self) -> None:
        self._found: dict[str, _Seen] = {}

    def add(self, expected: Json | Mapping[str, Json]) -> None:
        for path, inner in _fields(expected):
            if path in self._found or len(self._found) < MOST_FIELDS:
                seen = self._found.get(path) or self._found.setdefault(path, _Seen())
                seen.add(inner)

    def declared(self) -> Declared:
        return {path: seen.comparison() for path, seen in self._found.items()}


def parse(declared: Mapping[str, Any]) -> Declared:
    """Parse stored rules: path → {kind, tolerance?, relative_tolerance?, options?}.

    Raises ValueError naming the field.
    """
    if len(declared) > MOST_FIELDS:
        raise ValueError(f"at most {MOST_FIELDS} fields can be declared")
    found = {}
    for path, value in declared.items():
        try:
            found[path] = _parse(value)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    return found


def to_json(declared: Declared) -> dict[str, dict[str, Any]]:
    """The stored form, without settings at their defaults."""
    return {
        path: {"kind": each.kind}
        | ({"tolerance": each.tolerance} if each.tolerance else {})
        | ({"relative_tolerance": each.relative_tolerance} if each.relative_tolerance else {})
        | ({"options": list(each.options)} if each.options else {})
        for path, each in declared.items()
    }


def _parse(value: Any) -> FieldRule:
    if not isinstance(value, Mapping) or "kind" not in value:
        raise ValueError("a comparison is an object with a kind")
    if unknown := sorted(set(value) - {"kind", "tolerance", "relative_tolerance", "options"}):
        raise ValueError(f"unknown setting {unknown[0]!r}")
    numbers = {name: value.get(name, 0.0) for name in ("tolerance", "relative_tolerance")}
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise ValueError(f"{name} must be a number")
    options = value.get("options", ())
    if not isinstance(options, list | tuple) or not all(isinstance(option, str) for option in options):
        raise ValueError("options must be a list of texts")
    kind = value["kind"]
    if not isinstance(kind, str):
        raise ValueError("kind must be a text")
    return FieldRule(kind, options=tuple(options), **numbers)  # type: ignore[arg-type]


def _fields(value: Json | Mapping[str, Json]) -> Iterable[tuple[str, Json]]:
    if isinstance(value, Mapping):
        return leaves(value, value)
    if isinstance(value, str):
        read = find_object(value)
        if read.status == "strict" and read.value is not None:
            return leaves(read.value, read.value)
        return [(WHOLE_RESPONSE, answer(value))]
    return []


class _Seen:
    """Kinds and values seen in one field."""

    def __init__(self) -> None:
        self._kinds: set[str] = set()
        self._values: set[str] = set()
        self._count = 0

    def add(self, value: Json) -> None:
        self._count += 1
        self._kinds.add(infer(value).kind)
        if isinstance(value, str) and len(self._values) <= _MOST_OPTIONS:
            self._values.add(value)

    def comparison(self) -> FieldRule:
        if self._kinds == {"text"}:
            few = (
                2 <= len(self._values) <= _MOST_OPTIONS
                and len(self._values) * _PROMPTS_PER_OPTION <= self._count
            )
            return FieldRule("one_of", options=tuple(sorted(self._values))) if few else FieldRule("text")
        if self._kinds <= {"text", "similar"}:
            return FieldRule("similar")
        if len(self._kinds) == 1:
            return FieldRule(next(iter(self._kinds)))  # type: ignore[arg-type]
        return FieldRule("exact")
