"""The Markdown dialect of rubrics and retrospectives. docs/rubrics.md is its reference.

A document has YAML front matter between `---` lines, `## section` headings, and components `{type: NAME, key:
value …}`. Below a `{type: form}`, a question is a line `**text**`; the component after it sets the kind of answer.
Below `{type: selection, multiple: true, title: …}`, a list gives the options.
"""

from dataclasses import dataclass, field

from evaluation.rubrics import front_matter
from evaluation.rubrics.blocks import Block, Heading, Listed, Strong, Text, blocks
from evaluation.rubrics.comments import blanked
from evaluation.rubrics.components import ANSWERS, Component
from evaluation.rubrics.form import Field, FormDefinition, Per, Section
from evaluation.rubrics.places import RubricError, lines_of, one_line
from evaluation.rubrics.questions import Option, per_of, question

MAX_TEXT_BYTES = 200_000
_READING = ("instructions", "information", "navigation")


@dataclass
class _Section:
    """A section while it is read; `texts` are the parts of the source that are shown."""

    title: str
    kind: str = ""
    texts: list[Text] = field(default_factory=list)


@dataclass
class _Reader:
    """State of one pass over the parts of a document."""

    lines: list[str]
    title: str = ""
    heading: str = ""
    kind: str = ""
    per: Per = "pair"
    asked: Strong | None = None
    selection: Component | None = None
    options: list[Option] = field(default_factory=list)
    about: list[str] = field(default_factory=list)
    fields: list[Field] = field(default_factory=list)
    sections: list[_Section] = field(default_factory=list)

    @property
    def section(self) -> _Section:
        """The current section; one without a title above the first heading."""
        if not self.sections:
            self.sections.append(_Section(""))
        return self.sections[-1]


def parse(text: str) -> FormDefinition:
    """Parse a document into a form. Raises RubricError for the first error in it."""
    if len(text.encode("utf-8", "replace")) > MAX_TEXT_BYTES:
        raise RubricError(f"A rubric may have {MAX_TEXT_BYTES:,} bytes.", 1)
    lines = lines_of(text.removeprefix("\ufeff"))
    for number, line in enumerate(lines, 1):
        if "\x00" in line:
            raise RubricError("This line contains a NUL character.", number, 1 + line.index("\x00"))
    title, start = front_matter.read(lines)
    lines = blanked("\n".join([""] * start + lines[start:])).split("\n")
    reader = _Reader(lines, title)
    for block in blocks(lines):
        _take(block, reader)
    _finish(reader)
    return _form(reader)


def _take(block: Block, reader: _Reader) -> None:
    match block:
        case Component():
            _take_component(block, reader)
        case Heading(level=2):
            _finish(reader)
            reader.sections.append(_Section(block.plain))
            reader.heading, reader.kind, reader.per = "", "", "pair"
        case Heading(level=3):
            _finish(reader)
            reader.heading = block.plain
            if reader.kind in _READING:
                reader.section.texts.append(block)
        case Heading(level=1) if not reader.title:
            reader.title = block.plain
        case Strong() if reader.kind == "form":
            _finish(reader)
            reader.asked = block
        case Listed() if reader.selection is not None:
            reader.options += block.options(reader.lines)
        case _ if _describes(block, reader):
            reader.about.append(block.plain)
        case _ if not isinstance(block, Text) or any(map(str.strip, reader.lines[block.start : block.end])):
            reader.section.texts.append(block)


def _describes(block: Text, reader: _Reader) -> bool:
    """Whether a text stands between a question and its answer, or between a selection and its options."""
    opens = reader.selection is not None and not reader.options and not reader.selection.has("options")
    return bool(block.plain) and (opens or reader.asked is not None)


def _take_component(component: Component, reader: _Reader) -> None:
    name = component.type
    if name in ANSWERS:
        if reader.asked is None:
            raise component.error(f"A {name} needs a **question** on the line before it.")
        reader.fields.append(_field(reader.asked.plain, component, reader))
        reader.asked, reader.about = None, []
        return
    _finish(reader)
    if name == "selection":
        reader.selection = component
    elif name == "form":
        reader.per = per_of(component)
    reader.kind = name
    if not reader.section.kind:
        reader.section.kind = name


def _finish(reader: _Reader) -> None:
    """Finish what is open: a question without a component is an error, a selection becomes a field."""
    if reader.asked is not None and not reader.asked.certain:
        reader.section.texts.append(reader.asked)
        reader.asked, reader.about = None, []
    if reader.asked is not None:
        message = f"The question {reader.asked.plain!r} has no {{type: …}} after it."
        raise RubricError(message, reader.asked.start + 1, reader.asked.column)
    if reader.selection is not None:
        label = reader.selection.get("title") or reader.heading or reader.section.title
        reader.fields.append(_field(label, reader.selection, reader))
        reader.selection, reader.options, reader.about = None, [], []


def _field(label: str, component: Component, reader: _Reader) -> Field:
    return question(
        label,
        component,
        reader.fields,
        group=reader.heading,
        default_per=reader.per,
        listed=reader.options,
        help_text=" ".join(reader.about),
    )


def _form(reader: _Reader) -> FormDefinition:
    made = tuple(
        Section(one_line(section.title), section.kind, _source(section.texts, reader.lines))
        for section in reader.sections
    )
    instructions = next((section.text for section in made if section.kind == "instructions"), "")
    return FormDefinition(
        title=one_line(reader.title),
        instructions=instructions,
        sections=made,
        fields=tuple(reader.fields),
        markdown=True,
    )


def _source(texts: list[Text], lines: list[str]) -> str:
    """The source of these parts, with one empty line between parts that are not neighbours."""
    source, above = "", 0
    for text in texts:
        part = "\n".join(line.rstrip() for line in lines[text.start : text.end]).rstrip("\n")
        gap = "\n" if above == text.start else "\n\n"
        source += gap + part if source else part
        above = text.start + part.count("\n") + 1  # the end of a list includes the empty lines below it
    return source
