"""JSON Schemas of expected outputs: infer them from rows, check them before use, and check every row.

Users write schemas and they are applied to millions of rows, so only keywords with bounded cost are accepted: no
references (they may loop or use the network) and no regular expressions (they may never end).
"""

import json
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry

from ftplatform.errors import DomainError
from training.intake.readers.lines import is_text

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]

_MAX_BYTES = 64 * 2**10
_MAX_DEPTH = 20
_MAX_PROPERTIES = 200
_NESTED = {"items", "additionalProperties", "not", "contains"}
_LISTS = {"anyOf", "oneOf", "allOf", "prefixItems"}
_PLAIN = {
    *(
        "$schema",
        "$comment",
        "title",
        "description",
        "default",
        "examples",
        "format",
        "type",
        "enum",
        "const",
    ),
    *("required", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength"),
    *("maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "uniqueItems"),
}
_ALLOWED = _PLAIN | _NESTED | _LISTS | {"properties"}
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


class Inference:
    """The narrowest simple schema that accepts all values added: types, keys, and which keys are always present.
    Memory grows only with distinct keys, which are limited."""

    def __init__(self) -> None:
        self.count = 0
        self._types: set[str] = set()
        self._keys: dict[str, Inference] = {}
        self._objects = 0
        self._items: Inference | None = None
        self._open = False

    def add(self, value: Any, depth: int = 0) -> None:
        self.count += 1
        if isinstance(value, dict):
            self._types.add("object")
            self._objects += 1
            self._add_keys(value, depth)
        elif isinstance(value, list):
            self._types.add("array")
            if depth < _MAX_DEPTH:
                self._items = self._items or Inference()
                for item in value:
                    self._items.add(item, depth + 1)
        else:
            self._types.add(_TYPES[type(value)])

    def _add_keys(self, value: dict[str, Any], depth: int) -> None:
        for key, inner in value.items():
            if depth >= _MAX_DEPTH or (key not in self._keys and len(self._keys) >= _MAX_PROPERTIES):
                self._open = True
                continue
            self._keys.setdefault(key, Inference()).add(inner, depth + 1)

    def schema(self) -> Schema:
        """A schema without `$schema`; empty (accepts everything) if no values were added."""
        types = self._types - ({"integer"} if "number" in self._types else set())
        made: Schema = {}
        if types:
            made["type"] = sorted(types)[0] if len(types) == 1 else sorted(types)
        if "object" in types:
            made["properties"] = {key: inner.schema() for key, inner in self._keys.items()}
            if always := [key for key, inner in self._keys.items() if inner.count == self._objects]:
                made["required"] = always
            if not self._open:
                made["additionalProperties"] = False
        if self._items is not None and self._items.count:
            made["items"] = self._items.schema()
        return made


def parse(text: str) -> Schema:
    """Parse a schema from text. Raises DomainError `invalid_schema` with the location of the error."""
    if len(text.encode(errors="replace")) > _MAX_BYTES:
        raise _invalid(f"The schema is larger than {_MAX_BYTES // 2**10} KiB. Make it smaller.")
    try:
        schema = json.loads(text)
    except json.JSONDecodeError as error:
        raise _invalid(f"Not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise _invalid("The schema is nested too deeply.") from None
    return check(schema)


def check(schema: Any) -> Schema:
    """Return the schema if it can be applied. Raises DomainError `invalid_schema`."""
    if not isinstance(schema, dict):
        raise _invalid("A schema must be a JSON object.")
    written = json.dumps(schema, ensure_ascii=False)
    if len(written) > _MAX_BYTES:
        raise _invalid(f"The schema is larger than {_MAX_BYTES // 2**10} KiB. Make it smaller.")
    if not is_text(written) or "\\u0000" in written:
        raise _invalid("A text in the schema contains NUL or a lone surrogate. Remove that character.")
    _require_bounded(schema, "schema", 0)
    if schema.get("$schema", DIALECT) != DIALECT:
        raise _invalid(f"$schema: only {DIALECT} is supported.")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(["schema", *map(str, error.absolute_path)])
        raise _invalid(f"{where}: {error.message[:300]}.") from None
    return schema


def _require_bounded(schema: Any, where: str, depth: int) -> None:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise _invalid(f"{where}: a schema must be a JSON object, true or false.")
    if depth > _MAX_DEPTH:
        raise _invalid(f"{where}: {_MAX_DEPTH} levels are allowed at most.")
    if unknown := sorted(set(schema) - _ALLOWED):
        raise _invalid(
            f"{where}: {', '.join(unknown[:5])} is not supported (references and patterns can make a check run "
            f"forever). Use {', '.join(sorted(_ALLOWED - {'$comment', 'default', 'examples', 'title'}))}."
        )
    for name, inner in schema.items():
        if name == "properties" and isinstance(inner, dict):
            for key, value in inner.items():
                _require_bounded(value, f"{where}.properties.{key}"[:300], depth + 1)
        elif name in _NESTED:
            _require_bounded(inner, f"{where}.{name}", depth + 1)
        elif name in _LISTS and isinstance(inner, list):
            for number, value in enumerate(inner):
                _require_bounded(value, f"{where}.{name}[{number}]", depth + 1)


def _invalid(message: str) -> DomainError:
    problems = [{"field": "schema", "message": message}]
    return DomainError("invalid_schema", message, status=400, problems=problems)


class Checker:
    """Checks values against a schema that has passed `check`."""

    def __init__(self, schema: Schema) -> None:
        # An empty registry, so that no reference in a schema is ever fetched.
        self._validator = Draft202012Validator(schema, registry=Registry())

    def problems(self, value: Any) -> Iterator[tuple[str, str]]:
        """(field, reason) of each violation, the first 20 of a row."""
        for number, error in enumerate(self._validator.iter_errors(value)):
            if number == 20:
                return
            path = "".join(
                f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path
            )
            yield f"output{path}"[:200], _reason(error.message)


def _reason(message: str) -> str:
    """The library's message, with quoted row content shortened."""
    short = message if len(message) <= 240 else f"{message[:120]} … {message[-100:]}"
    return f"{short}; the schema asks for something else."
