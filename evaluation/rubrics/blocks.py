"""The parts of a rubric, in the order of the document: headings, components, questions, lists and other text."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markdown_it.token import Token

from evaluation.rubrics import components
from evaluation.rubrics.components import Component
from evaluation.rubrics.markdown import BLOCKS, children, closing, end_of, plain
from evaluation.rubrics.places import RubricError
from evaluation.rubrics.questions import Option

_MARKER = re.compile(r"\s*(?:[-*+]|\d+[.)])(?:\s+|$)")
_LISTS = ("bullet_list_open", "ordered_list_open")


@dataclass(frozen=True)
class Text:
    """Source lines `start` to `end` (0-based, without `end`), and their text without marks."""

    start: int
    end: int
    plain: str = ""


@dataclass(frozen=True)
class Heading(Text):
    level: int = 1


@dataclass(frozen=True)
class Strong(Text):
    """Bold text alone on its line: a question, inside a form.

    If it is not `certain`, it is a question only with a component below it.
    """

    column: int = 1
    certain: bool = True


@dataclass(frozen=True)
class Listed(Text):
    tokens: Sequence[Token] = ()

    def options(self, lines: Sequence[str]) -> list[Option]:
        """The items as options. An item below another one has the text of both."""
        return list(_options(self.tokens, lines, ""))


Block = Component | Text


def blocks(lines: Sequence[str]) -> Iterator[Block]:
    """The parts of a document without comments and front matter. Raises RubricError."""
    return _walk(BLOCKS.parse("\n".join(lines)), lines)


def _walk(tokens: Sequence[Token], lines: Sequence[str]) -> Iterator[Block]:
    at = 0
    while at < len(tokens):
        token, end = tokens[at], end_of(tokens, at)
        inside = tokens[at + 1 : end]
        start, stop = token.map or (0, 0)
        if token.type == "component":
            yield _component(token.content.split("\n"), start, lines)
        elif token.type == "heading_open" and token.level == 0:
            yield Heading(start, stop, plain(children(inside[0].content)), level=int(token.tag[1]))
        elif token.type == "paragraph_open":
            yield from _paragraph(inside[0].content.split("\n"), start, lines)
        elif any(each.type == "component" for each in inside):
            yield from _walk(inside, lines)
        elif token.nesting >= 0:
            _refuse_components(inside, lines)
            yield Listed(start, stop, tokens=inside) if token.type in _LISTS else Text(start, stop)
        at = end + 1


def _component(content: Sequence[str], first: int, lines: Sequence[str]) -> Component:
    texts = [line.strip() for line in content]
    return components.read(
        "\n".join(texts), [(first + n + 1, _column(lines, first + n, text)) for n, text in enumerate(texts)]
    )


def _paragraph(content: Sequence[str], first: int, lines: Sequence[str]) -> Iterator[Block]:
    """Parts of a paragraph: components that are too far indented to be blocks, and the text between them."""
    at = 0
    while at < len(content):
        end = at
        if content[at].lstrip().startswith("{"):
            end = at + closing(content[at:])
            yield _component(content[at : end + 1], first + at, lines)
        else:
            while end + 1 < len(content) and not content[end + 1].lstrip().startswith("{"):
                end += 1
            yield from _rows(content[at : end + 1], first + at, lines)
        at = end + 1


def _rows(content: Sequence[str], first: int, lines: Sequence[str]) -> Iterator[Text]:
    """The lines of a paragraph; bold text is one row even if it is wrapped."""
    tokens = children("\n".join(content))
    breaks = [number for number, token in enumerate(tokens) if token.type in ("softbreak", "hardbreak")]
    if len(breaks) + 1 != len(content):  # code or HTML goes over a line break
        yield _row(tokens, first, first + len(content), lines)
        return
    begin, row, depth = 0, first, 0
    for at, token in enumerate(tokens):
        depth += token.nesting
        if token.type in ("softbreak", "hardbreak") and depth == 0:
            end = first + breaks.index(at) + 1
            yield _row(tokens[begin:at], row, end, lines)
            begin, row = at + 1, end
    yield _row(tokens[begin:], row, first + len(content), lines)


def _row(tokens: Sequence[Token], start: int, end: int, lines: Sequence[str]) -> Text:
    _refuse_component(tokens, start, end, lines)
    found = [token for token in tokens if token.type != "text" or token.content.strip()]
    has_colon = bool(found) and found[-1].type == "text" and found[-1].content.strip() == ":"
    if has_colon:
        found.pop()
    if found and found[0].type == "strong_open" and end_of(found, 0) == len(found) - 1:
        mark = found[0].markup
        certain = mark == "**" and not has_colon
        return Strong(start, end, plain(found), column=_column(lines, start, mark), certain=certain)
    return Text(start, end, plain(tokens))


def _refuse_components(tokens: Sequence[Token], lines: Sequence[str]) -> None:
    for token in tokens:
        if token.type == "inline" and token.map and "{type" in token.content:
            _refuse_component(children(token.content), token.map[0], token.map[1], lines)


def _refuse_component(tokens: Sequence[Token], start: int, end: int, lines: Sequence[str]) -> None:
    if any(token.type == "text" and "{type" in token.content for token in tokens):
        number = next(number for number in range(start, end) if "{type" in lines[number])
        column = _column(lines, number, "{type")
        raise RubricError("A component stands on a line of its own.", number + 1, column)


def _column(lines: Sequence[str], number: int, text: str) -> int:
    return 1 + max(0, lines[number].find(text))


def _options(tokens: Sequence[Token], lines: Sequence[str], above: str) -> Iterator[Option]:
    at = 0
    while at < len(tokens):
        end = end_of(tokens, at)
        yield from _option(tokens[at], tokens[at + 1 : end], lines, above)
        at = end + 1


def _option(item: Token, inside: Sequence[Token], lines: Sequence[str], above: str) -> Iterator[Option]:
    number, stop = item.map or (0, 0)
    marker = _MARKER.match(lines[number])
    column = 1 + (marker.end() if marker else 0)
    is_one_line = not any(map(str.strip, lines[number + 1 : stop]))
    if is_one_line and (not inside or inside[0].type != "paragraph_open"):
        # What looks like another block is text here: "1. one", "# one", "---".
        yield above + lines[number][column - 1 :].strip(), number + 1, column
        return
    texts, below, at = [], list[Token](), 0
    while at < len(inside):
        token, end = inside[at], end_of(inside, at)
        if token.type == "paragraph_open":
            texts.append(plain(children(inside[at + 1].content)))
        elif token.type in _LISTS and texts:
            below += inside[at + 1 : end]
        else:
            line = (token.map or (number,))[0] + 1
            raise RubricError("An option is a text; only text and further options can be in it.", line)
        at = end + 1
    text = above + " ".join(texts)
    if not below or not text.endswith(":"):
        yield text, number + 1, column
    yield from _options(below, lines, f"{text.rstrip(':')}: ")
