"""Components of the dialect: `{type: NAME, key: value …}`, read as a YAML flow mapping, and the fields they define."""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from evaluation.rubrics.form import PREFERENCE, PREFERENCES, Condition, Field, Kind

PLAIN = {"instructions", "information", "form", "navigation"}
ANSWERS: dict[str, Kind] = {
    "select": "select",
    "textarea": "text",
    "text": "text",
    "scale": "scale",
    "yes_no": "yes_no",
    "multi_select": "multi_select",
}
KNOWN = PLAIN | set(ANSWERS) | {"selection"}
_COMMON = {"type", "key", "per", "required", "help", "when"}
_OWN = {
    "select": {"options"},
    "multi_select": {"options"},
    "selection": {"multiple", "title", "icon", "options"},
    "scale": {"min", "max"},
    "text": {"placeholder"},
    "textarea": {"placeholder"},
    "yes_no": set[str](),
}
_CONDITION = re.compile(r"\s*(?P<key>[a-z][a-z0-9_]*)\s*(?P<operator><=|>=|=)\s*(?P<value>.+?)\s*")


class RubricError(ValueError):
    """The document cannot be parsed. `line` and `column` (both 1-based) give the position."""

    def __init__(self, message: str, line: int, column: int = 1) -> None:
        super().__init__(f"Line {line}, column {column}: {message}")
        self.message = message
        self.line = line
        self.column = column


@dataclass
class Component:
    """One pair of braces: its attributes and the column of each."""

    values: dict[str, Any]
    line: int
    column: int
    columns: dict[str, int] = field(default_factory=dict)

    @property
    def type(self) -> str:
        return str(self.values["type"])

    def error(self, message: str, attribute: str = "") -> RubricError:
        return RubricError(message, self.line, self.columns.get(attribute, self.column))


def read(content: str, line: int, column: int) -> Component:
    """Parse `content` (one line, stripped, starting at `column`) as a component. Raises RubricError."""
    if not content.endswith("}"):
        raise RubricError("The brace that opens here is not closed on this line.", line, column)
    loader = yaml.SafeLoader(content)
    try:
        node = loader.get_single_node()
        found = loader.construct_document(node) if node is not None else None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = column + (mark.column if mark else 0)
        raise RubricError("The component is not written as {type: name, key: value}.", line, where) from error
    finally:
        loader.dispose()
    if node is None or not isinstance(found, dict) or not isinstance(found.get("type"), str):
        raise RubricError("A component begins with its type: {type: name}.", line, column)
    component = Component(found, line, column)
    for key, _ in node.value:
        name = str(key.value)
        if name in component.columns:
            raise RubricError(f"`{name}` is given twice.", line, column + key.start_mark.column)
        component.columns[name] = column + key.start_mark.column
    if component.type not in KNOWN:
        known = ", ".join(sorted(KNOWN))
        raise component.error(f"Unknown component type {component.type!r}; known are {known}.", "type")
    return component


def question(
    label: str, kind: Kind, given: Component, earlier: list[Field], *, group: str, help_text: str = ""
) -> Field:
    """The field defined by a question and its component. `earlier` are the fields above it. Raises RubricError."""
    unknown = sorted(str(name) for name in set(given.values) - _COMMON - _OWN[given.type])
    if unknown:
        raise given.error(f"A {given.type} has no attribute {', '.join(unknown)}.", unknown[0])
    minimum, maximum = _bounds(given) if kind == "scale" else (None, None)
    return Field(
        key=_key(label, given, earlier),
        label=label.rstrip(":").strip(),
        kind=kind,
        per=_per(given),
        options=_options(given) if kind in ("select", "multi_select") else (),
        minimum=minimum,
        maximum=maximum,
        required=_flag(given, "required", default=kind == "scale"),
        help=str(given.values.get("help") or help_text),
        placeholder=str(given.values.get("placeholder", "")),
        group=group,
        when=_when(given, earlier),
    )


def _key(label: str, given: Component, earlier: list[Field]) -> str:
    key = str(given.values.get("key") or _slug(label))
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,59}", key):
        raise given.error(f"The key {key!r} must be lower-case letters, digits and underscores.", "key")
    if key == PREFERENCE:
        raise given.error("The key 'preference' is taken by the question which response is better.", "key")
    if any(other.key == key for other in earlier):
        raise given.error(f"The key {key!r} is used twice; give this question its own key.", "key")
    return key


def _slug(label: str) -> str:
    slug = "_".join(re.findall(r"[a-z0-9]+", label.lower()))[:60].rstrip("_")
    return slug if slug[:1].isalpha() else f"question_{slug}".rstrip("_")[:60]


def _per(given: Component) -> Any:
    per = given.values.get("per", "pair")
    if per not in ("side", "pair"):
        raise given.error("`per` is side or pair.", "per")
    return per


def _options(given: Component) -> tuple[str, ...]:
    options = given.values.get("options")
    if not isinstance(options, list) or len(options) < 2:
        raise given.error("A choice needs at least two options.", "options")
    if any(isinstance(option, bool | dict | list) or option is None for option in options):
        raise given.error("Every option is a text; put yes, no and the like in quotes.", "options")
    texts = tuple(str(option).strip() for option in options)
    if "" in texts:
        raise given.error("An option is empty.", "options")
    if len(set(texts)) != len(texts):
        raise given.error("Two options are the same.", "options")
    return texts


def _bounds(given: Component) -> tuple[int, int]:
    low, high = given.values.get("min", 1), given.values.get("max", 10)
    whole = all(isinstance(bound, int) and not isinstance(bound, bool) for bound in (low, high))
    if not whole or not low < high <= low + 100:
        where = "max" if "max" in given.columns else "min"
        raise given.error("A scale goes from a whole `min` to a larger `max`, at most 100 apart.", where)
    return low, high


def _flag(given: Component, name: str, *, default: bool) -> bool:
    value = given.values.get(name, default)
    if not isinstance(value, bool):
        raise given.error(f"`{name}` is true or false.", name)
    return value


def _when(given: Component, earlier: list[Field]) -> Condition | None:
    written = given.values.get("when")
    if written is None:
        return None
    found = _CONDITION.fullmatch(written) if isinstance(written, str) else None
    if found is None:
        raise given.error('`when` is written "question=answer", "question<=number" or ">=".', "when")
    key, operator, value = found["key"], found["operator"], found["value"]
    if key == PREFERENCE:
        if operator != "=" or value not in PREFERENCES:
            raise given.error(f"The preference is one of {', '.join(PREFERENCES)}.", "when")
        return Condition(key, "=", value)
    governing = next((other for other in earlier if other.key == key), None)
    if governing is None:
        raise given.error(f"No question above has the key {key!r}.", "when")
    return _condition(governing, operator, value, given)


def _condition(governing: Field, operator: Any, value: str, given: Component) -> Condition:
    if governing.kind == "scale" and governing.minimum is not None and governing.maximum is not None:
        if re.fullmatch(r"-?\d{1,9}", value) and governing.minimum <= int(value) <= governing.maximum:
            return Condition(governing.key, operator, int(value))
        message = f"{governing.key} goes from {governing.minimum} to {governing.maximum}."
    elif operator != "=":
        message = f"{operator} compares numbers; {governing.key} is no scale."
    elif governing.kind == "yes_no":
        if value in ("yes", "no"):
            return Condition(governing.key, "=", value == "yes")
        message = f"{governing.key} is answered yes or no."
    elif governing.options:
        if value in governing.options:
            return Condition(governing.key, "=", value)
        message = f"{value!r} is no option of {governing.key}."
    else:
        message = f"{governing.key} is a text; no other question can depend on it."
    raise given.error(message, "when")
