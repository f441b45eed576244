"""The Markdown dialect of rubrics and retrospectives.

Front matter in YAML between `---` lines; `## section`; a component `{type: NAME, key: value …}` on its own line.
Below a `{type: form}` a question is a line `**text**` and the component on the next line that holds text says what
kind of answer it takes. Below `{type: selection, multiple: true, title: …}` a bullet list gives the options.
"""

import re
from dataclasses import dataclass
from typing import Any

import yaml

from evaluation.rubrics.form import Field, FormDefinition, Kind, Section

_PLAIN = {"instructions", "information", "form", "navigation"}
_ANSWERS: dict[str, Kind] = {
    "select": "select",
    "textarea": "text",
    "text": "text",
    "scale": "scale",
    "yes_no": "yes_no",
    "multi_select": "multi_select",
}
_KNOWN = _PLAIN | set(_ANSWERS) | {"selection"}
_ATTRIBUTES = {
    "type",
    "key",
    "per",
    "options",
    "min",
    "max",
    "required",
    "help",
    "placeholder",
    "multiple",
    "title",
}
_QUESTION = re.compile(r"\*\*(?P<text>.+?)\*\*\s*$")
_BULLET = re.compile(r"[-*]\s+(?P<text>.+)$")
MAX_TEXT_BYTES = 200_000


class RubricError(ValueError):
    """The document cannot be read; `line` and `column` (both from 1) say where."""

    def __init__(self, message: str, line: int, column: int = 1) -> None:
        super().__init__(f"Line {line}, column {column}: {message}")
        self.message = message
        self.line = line
        self.column = column


@dataclass
class _Reader:
    """The state of one pass over the lines."""

    title: str = ""
    section: str = ""
    heading: str = ""
    kind: str = ""
    question: tuple[str, int] | None = None
    selection: dict[str, Any] | None = None
    selection_line: int = 0


def parse(text: str) -> FormDefinition:
    """The form that a document defines. Raises RubricError with the first thing that is wrong."""
    if len(text.encode("utf-8", "replace")) > MAX_TEXT_BYTES:
        raise RubricError(f"A rubric may have {MAX_TEXT_BYTES:,} bytes.", 1)
    lines = text.splitlines()
    front, start = _front_matter(lines)
    return _read(lines, start, title=str(front.get("title", "")))


def _front_matter(lines: list[str]) -> tuple[dict[str, Any], int]:
    """The document's own description and the index of the first line after it."""
    if not lines or lines[0].strip() != "---":
        return {}, 0
    end = next((index for index, line in enumerate(lines[1:], 1) if line.strip() == "---"), None)
    if end is None:
        raise RubricError("The front matter that begins here has no closing ---.", 1)
    try:
        front = yaml.safe_load("\n".join(lines[1:end])) or {}
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise RubricError("The front matter is not YAML.", 2 + (mark.line if mark else 0)) from error
    if not isinstance(front, dict):
        raise RubricError("The front matter must be key: value pairs.", 2)
    for component in front.get("components") or []:
        name = component.get("type") if isinstance(component, dict) else None
        if name not in _KNOWN:
            raise RubricError(f"Unknown component type {name!r} in the front matter.", 1)
    return front, end + 1


def _read(lines: list[str], start: int, *, title: str) -> FormDefinition:
    fields: list[Field] = []
    sections: list[tuple[str, str, list[str]]] = []
    reader = _Reader(title=title)
    for number, line in enumerate(lines[start:], start + 1):
        content = line.strip()
        if content.startswith("## "):
            _finish(reader, fields, number)
            reader.section, reader.heading, reader.kind = content[3:].strip(), "", ""
            sections.append((reader.section, "", []))
        elif content.startswith("### "):
            _finish(reader, fields, number)
            reader.heading = content[4:].strip()
        elif content.startswith("# ") and not reader.title:
            reader.title = content[2:].strip()
        elif content.startswith("{"):
            component = _component(content, number, 1 + line.index("{"))
            _take(component, reader, fields, sections, number)
        elif "{type" in content:
            raise RubricError("A component stands on a line of its own.", number, 1 + line.index("{type"))
        elif reader.selection is not None and (bullet := _BULLET.match(content)):
            reader.selection["options"].append(bullet["text"].strip())
        elif reader.kind == "form" and (question := _QUESTION.match(content)):
            _finish(reader, fields, number)
            reader.question = question["text"].strip(), number
        elif sections and (content or reader.kind != "form"):
            sections[-1][2].append(line.rstrip())  # an empty line parts two paragraphs
    _finish(reader, fields, len(lines))
    return _form(reader.title, sections, fields)


def _component(content: str, line: int, column: int) -> dict[str, Any]:
    """The attributes between the braces, read as a YAML flow mapping."""
    if not content.endswith("}"):
        raise RubricError("The brace that opens here is not closed on this line.", line, column)
    try:
        found = yaml.safe_load(content)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = column + (mark.column if mark else 0)
        raise RubricError("The component is not written as {type: name, key: value}.", line, where) from error
    if not isinstance(found, dict) or not isinstance(found.get("type"), str):
        raise RubricError("A component begins with its type: {type: name}.", line, column)
    if found["type"] not in _KNOWN:
        known = ", ".join(sorted(_KNOWN))
        raise RubricError(f"Unknown component type {found['type']!r}; known are {known}.", line, column)
    return found


def _take(
    component: dict[str, Any],
    reader: _Reader,
    fields: list[Field],
    sections: list[tuple[str, str, list[str]]],
    line: int,
) -> None:
    name = component["type"]
    if name in _ANSWERS:
        if reader.question is None:
            raise RubricError(f"A {name} needs a **question** on the line before it.", line)
        label, _ = reader.question
        reader.question = None
        fields.append(_field(label, _ANSWERS[name], component, fields, line))
        return
    _finish(reader, fields, line)
    if name == "selection":
        title = component.get("title") or reader.heading or reader.section
        reader.selection = {**component, "title": title, "options": []}
        reader.selection_line = line
    reader.kind = name
    if sections and not sections[-1][1]:
        sections[-1] = (sections[-1][0], name, sections[-1][2])


def _finish(reader: _Reader, fields: list[Field], line: int) -> None:
    """Close what is still open: a question without an answer is an error, a selection becomes a field."""
    if reader.question is not None:
        label, where = reader.question
        raise RubricError(f"The question {label!r} has no {{type: …}} after it.", where)
    if reader.selection is not None:
        selection, reader.selection = reader.selection, None
        kind: Kind = "multi_select" if selection.get("multiple") else "select"
        fields.append(_field(str(selection["title"]), kind, selection, fields, reader.selection_line))


def _field(label: str, kind: Kind, given: dict[str, Any], fields: list[Field], line: int) -> Field:
    unknown = sorted(map(str, set(given) - _ATTRIBUTES))
    if unknown:
        raise RubricError(f"A {given['type']} has no attribute {', '.join(unknown)}.", line)
    key = str(given.get("key") or _slug(label))
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,59}", key):
        raise RubricError(f"The key {key!r} must be lower-case letters, digits and underscores.", line)
    if any(field.key == key for field in fields):
        raise RubricError(f"The key {key!r} is used twice; give this question its own key.", line)
    per = given.get("per", "pair")
    if per not in ("side", "pair"):
        raise RubricError("`per` is side or pair.", line)
    return Field(
        key=key,
        label=label.rstrip(":").strip(),
        kind=kind,
        per=per,
        options=_options(kind, given, line),
        minimum=_bounds(given, line)[0] if kind == "scale" else None,
        maximum=_bounds(given, line)[1] if kind == "scale" else None,
        required=_flag(given, "required", line, default=kind == "scale"),
        help=str(given.get("help", "")),
        placeholder=str(given.get("placeholder", "")),
    )


def _options(kind: Kind, given: dict[str, Any], line: int) -> tuple[str, ...]:
    if kind not in ("select", "multi_select"):
        return ()
    options = given.get("options")
    if not isinstance(options, list) or len(options) < 2:
        raise RubricError("A choice needs at least two options.", line)
    texts = tuple(str(option) for option in options)
    if len(set(texts)) != len(texts):
        raise RubricError("Two options are the same.", line)
    return texts


def _bounds(given: dict[str, Any], line: int) -> tuple[int, int]:
    low, high = given.get("min", 1), given.get("max", 10)
    whole = all(isinstance(bound, int) and not isinstance(bound, bool) for bound in (low, high))
    if not whole or not low < high <= low + 100:
        raise RubricError("A scale goes from a whole `min` to a larger `max`, at most 100 apart.", line)
    return low, high


def _flag(given: dict[str, Any], name: str, line: int, *, default: bool) -> bool:
    value = given.get(name, default)
    if not isinstance(value, bool):
        raise RubricError(f"`{name}` is true or false.", line)
    return value


def _slug(label: str) -> str:
    words = re.findall(r"[a-z0-9]+", label.lower())
    slug = "_".join(words)[:60].rstrip("_")
    return slug if slug[:1].isalpha() else f"question_{slug}".rstrip("_")[:60]


def _form(title: str, sections: list[tuple[str, str, list[str]]], fields: list[Field]) -> FormDefinition:
    def body(lines: list[str]) -> str:
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

    made = tuple(Section(name, kind, body(lines)) for name, kind, lines in sections)
    instructions = next((section.text for section in made if section.kind == "instructions"), "")
    return FormDefinition(title=title, instructions=instructions, sections=made, fields=tuple(fields))
