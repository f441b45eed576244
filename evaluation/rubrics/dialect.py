"""The Markdown dialect of rubrics and retrospectives. docs/rubrics.md is its reference.

A document has YAML front matter between `---` lines, `## section` headings, and components `{type: NAME, key:
value …}`, each on its own line. Below a `{type: form}`, a question is a line `**text**`; the component on the
next non-empty line sets the kind of answer. Below `{type: selection, multiple: true, title: …}`, a bullet
list gives the options.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from evaluation.rubrics.components import ANSWERS, KNOWN, Component, RubricError, question, read
from evaluation.rubrics.form import Field, FormDefinition, Kind, Section

_QUESTION = re.compile(r"\*\*(?P<text>.+?)\*\*\s*$")
_BULLET = re.compile(r"[-*]\s+(?P<text>.+)$")
MAX_TEXT_BYTES = 200_000


@dataclass
class _Reader:
    """State of one pass over the lines."""

    title: str = ""
    section: str = ""
    heading: str = ""
    kind: str = ""
    question: tuple[str, int, int] | None = None
    selection: Component | None = None
    intro: list[str] = field(default_factory=list)
    fields: list[Field] = field(default_factory=list)
    sections: list[tuple[str, str, list[str]]] = field(default_factory=list)


def parse(text: str) -> FormDefinition:
    """Parse a document into a form. Raises RubricError for the first error in it."""
    if len(text.encode("utf-8", "replace")) > MAX_TEXT_BYTES:
        raise RubricError(f"A rubric may have {MAX_TEXT_BYTES:,} bytes.", 1)
    lines = text.removeprefix("\ufeff").splitlines()
    for number, line in enumerate(lines, 1):
        if "\x00" in line:
            raise RubricError("This line contains a NUL character.", number, 1 + line.index("\x00"))
    front, start = _front_matter(lines)
    return _read(lines, start, title=str(front.get("title") or ""))


def _front_matter(lines: list[str]) -> tuple[dict[str, Any], int]:
    """The front matter and the index of the first line after it."""
    if not lines or lines[0].strip() != "---":
        return {}, 0
    end = next((index for index, line in enumerate(lines[1:], 1) if line.strip() == "---"), None)
    if end is None:
        raise RubricError("The front matter that begins here has no closing ---.", 1)
    try:
        front = yaml.safe_load("\n".join(lines[1:end])) or {}
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line, column = (2 + mark.line, 1 + mark.column) if mark else (2, 1)
        raise RubricError("The front matter is not YAML.", line, column) from error
    if not isinstance(front, dict):
        raise RubricError("The front matter must be key: value pairs.", 2)
    _check_components(front.get("components") or [], lines[:end])
    return front, end + 1


def _check_components(components: Any, lines: list[str]) -> None:
    """Check the component types that the front matter may list; each must be known."""
    for component in components if isinstance(components, list) else [components]:
        name = component.get("type") if isinstance(component, dict) else None
        if name not in KNOWN:
            at = next((n for n, line in enumerate(lines, 1) if name and str(name) in line), 1)
            column = 1 + lines[at - 1].index(str(name)) if name and str(name) in lines[at - 1] else 1
            raise RubricError(f"Unknown component type {name!r} in the front matter.", at, column)


def _read(lines: list[str], start: int, *, title: str) -> FormDefinition:
    reader = _Reader(title=title)
    for number, line in enumerate(lines[start:], start + 1):
        content = line.strip()
        column = 1 + len(line) - len(line.lstrip())
        if content.startswith("## "):
            _finish(reader)
            reader.section, reader.heading, reader.kind = content[3:].strip(), "", ""
            reader.sections.append((reader.section, "", []))
        elif content.startswith("### "):
            _finish(reader)
            reader.heading = content[4:].strip()
        elif content.startswith("# ") and not reader.title:
            reader.title = content[2:].strip()
        elif content.startswith("{"):
            _take(read(content, number, column), reader)
        elif "{type" in content:
            raise RubricError("A component stands on a line of its own.", number, 1 + line.index("{type"))
        else:
            _take_text(line, content, number, column, reader)
    _finish(reader)
    return _form(reader)


def _take_text(line: str, content: str, number: int, column: int, reader: _Reader) -> None:
    if reader.selection is not None and (bullet := _BULLET.match(content)):
        reader.selection.values.setdefault("options", []).append(bullet["text"].strip())
    elif reader.selection is not None and content and "options" not in reader.selection.values:
        reader.intro.append(content)
    elif reader.kind == "form" and (asked := _QUESTION.match(content)):
        _finish(reader)
        reader.question = asked["text"].strip(), number, column
    elif reader.sections and (content or reader.kind != "form"):
        reader.sections[-1][2].append(line.rstrip())  # an empty line separates paragraphs


def _take(component: Component, reader: _Reader) -> None:
    name = component.type
    if name in ANSWERS:
        if reader.question is None:
            raise component.error(f"A {name} needs a **question** on the line before it.")
        label, _, _ = reader.question
        reader.question = None
        made = question(label, ANSWERS[name], component, reader.fields, group=reader.heading)
        reader.fields.append(made)
        return
    _finish(reader)
    if name == "selection":
        reader.selection = component
    reader.kind = name
    if reader.sections and not reader.sections[-1][1]:
        reader.sections[-1] = (reader.sections[-1][0], name, reader.sections[-1][2])


def _finish(reader: _Reader) -> None:
    """Finish what is open: a question without a component is an error, a selection becomes a field."""
    if reader.question is not None:
        label, line, column = reader.question
        raise RubricError(f"The question {label!r} has no {{type: …}} after it.", line, column)
    if reader.selection is not None:
        selection, intro = reader.selection, " ".join(reader.intro)
        reader.selection, reader.intro = None, []
        label = str(selection.values.get("title") or reader.heading or reader.section)
        kind: Kind = "multi_select" if selection.values.get("multiple") else "select"
        made = question(label, kind, selection, reader.fields, group=reader.heading, help_text=intro)
        reader.fields.append(made)


def _form(reader: _Reader) -> FormDefinition:
    def body(lines: list[str]) -> str:
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

    made = tuple(Section(name, kind, body(lines)) for name, kind, lines in reader.sections)
    instructions = next((section.text for section in made if section.kind == "instructions"), "")
    return FormDefinition(
        title=reader.title, instructions=instructions, sections=made, fields=tuple(reader.fields)
    )
