"""Components of the dialect: `{type: NAME, key: value …}`, read as a YAML flow mapping.

Every value is kept as it is typed: `1.10`, `010`, `1:30` and `yes` are texts unless an attribute asks for a number or
for true or false.
"""

import re
from dataclasses import dataclass, field

import yaml

from evaluation.rubrics.form import Kind
from evaluation.rubrics.places import RubricError, one_line, position

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
LONGEST = 20_000
_WHOLE = re.compile(r"[+-]?[0-9]{1,9}")
_NULL, _BOOL = "tag:yaml.org,2002:null", "tag:yaml.org,2002:bool"


@dataclass
class Component:
    """One pair of braces: its attributes, and the text with the position of each of its lines."""

    text: str
    places: list[tuple[int, int]]
    nodes: dict[str, yaml.Node] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)

    @property
    def type(self) -> str:
        return self.get("type")

    def place(self, index: int) -> tuple[int, int]:
        """Line and column in the document of a character of the component."""
        line, column = position(self.text, index)
        number, first = self.places[min(line, len(self.places)) - 1]
        return number, first + column - 1

    def error(self, message: str, attribute: str = "") -> RubricError:
        return RubricError(message, *self.place(self.keys.get(attribute, 0)))

    def has(self, name: str) -> bool:
        return name in self.nodes and self.nodes[name].tag != _NULL

    def get(self, name: str, default: str = "") -> str:
        """The text of an attribute as it is typed, on one line."""
        if not self.has(name):
            return default
        node = self.nodes[name]
        if not isinstance(node, yaml.ScalarNode):
            raise self.error(f"`{name}` is a text; put it in quotes if it has brackets or braces.", name)
        return one_line(node.value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        if name not in self.nodes:
            return default
        node = self.nodes[name]
        if node.tag != _BOOL or not isinstance(node, yaml.ScalarNode):
            raise self.error(f"`{name}` is true or false.", name)
        return yaml.SafeLoader.bool_values[node.value.lower()]

    def whole(self, name: str, default: int) -> int | None:
        """A whole number; None if the attribute is something else."""
        if name not in self.nodes:
            return default
        node = self.nodes[name]
        good = isinstance(node, yaml.ScalarNode) and _WHOLE.fullmatch(node.value)
        return int(node.value) if good else None

    def texts(self, name: str) -> list[tuple[str, int, int]]:
        """The texts of a list as they are typed, each with its line and column."""
        if not self.has(name):
            return []
        node = self.nodes[name]
        if not isinstance(node, yaml.SequenceNode):
            raise self.error(f"`{name}` is a list: [first, second].", name)
        found = []
        for item in node.value:
            if not isinstance(item, yaml.ScalarNode):
                raise RubricError(
                    "Every option is a text; put it in quotes if it has brackets, braces or a colon and a space.",
                    *self.place(item.start_mark.index),
                )
            found.append((one_line(item.value), *self.place(item.start_mark.index)))
        return found


def read(text: str, places: list[tuple[int, int]]) -> Component:
    """Parse `text`, which begins with a brace, as a component.

    `places` has the line and column at which each line of `text` begins. Raises RubricError.
    """
    component = Component(text.rstrip(), places)
    if len(text) > LONGEST:
        raise component.error(f"A component may have {LONGEST:,} characters.")
    if not component.text.endswith("}"):
        raise component.error("The brace that opens here is not closed.")
    node = _node(component)
    if not isinstance(node, yaml.MappingNode):
        raise component.error("A component begins with its type: {type: name}.")
    for key, value in node.value:
        index = key.start_mark.index
        name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
        if name in component.nodes:
            raise RubricError(f"`{name}` is given twice.", *component.place(index))
        component.nodes[name], component.keys[name] = value, index
    if not component.has("type") or not component.type:
        raise component.error("A component begins with its type: {type: name}.")
    if component.type not in KNOWN:
        known = ", ".join(sorted(KNOWN))
        raise component.error(f"Unknown component type {component.type!r}; known are {known}.", "type")
    return component


def _node(component: Component) -> yaml.Node | None:
    loader = None
    try:
        # The loader already refuses characters that YAML does not allow.
        loader = yaml.SafeLoader(component.text)
        return loader.get_single_node()
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        index = mark.index if mark else getattr(error, "position", 0)
        raise RubricError(
            "The component is not written as {type: name, key: value}. Put texts with # , : or brackets in quotes.",
            *component.place(index),
        ) from error
    finally:
        if loader is not None:
            loader.dispose()
