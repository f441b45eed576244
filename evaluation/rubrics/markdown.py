"""The Markdown of rubrics: CommonMark with tables and components.

Indented lines are no code and underlines no headings, because components are often indented or underlined. Of HTML,
only comments are read; other tags are text.
"""

import re
from collections.abc import Iterable, Sequence

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock, html_block
from markdown_it.token import Token

_DEEPEST = 100
_TYPED = re.compile(r"\{\s*type\b")
_BOLD_LINE = re.compile(r"(\*\*|__)\S.*\1\s*:?")


def _component(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A block that begins with a brace and ends with the first line that closes it.

    It ends any paragraph, list or quotation above it. Inside a list, texts such as `{name}` are no components.
    """
    if not _begins(state, start):
        return False
    if silent:
        return True
    last = closing(_line(state, number) for number in range(start, end))
    token = state.push("component", "", 0)
    token.map = [start, start + last + 1]
    token.content = "\n".join(_line(state, number) for number in range(start, start + last + 1))
    state.line = start + last + 1
    return True


def _question(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Whether a bold line with a component below it ends the paragraph or list above. It is itself a paragraph."""
    if not silent or not _BOLD_LINE.fullmatch(_line(state, start)):
        return False
    below = next((text for number in range(start + 1, end) if (text := _line(state, number))), "")
    return below.startswith("{")


def _comment(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    return _line(state, start).startswith("<!--") and html_block(state, start, end, silent)


def _begins(state: StateBlock, number: int) -> bool:
    line = _line(state, number)
    inside = state.level > 0 and state.sCount[number] >= state.blkIndent
    return line.startswith("{") and (not inside or bool(_TYPED.match(line)))


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]].strip()


def closing(lines: Iterable[str]) -> int:
    """The index of the line that closes the component of the first; 0 if none does before something else begins."""
    for number, line in enumerate(lines):
        text = line.strip()
        if not text or (number and text.startswith(("{", "#", "**"))):
            return 0
        if text.endswith("}"):
            return number
    return 0


BLOCKS = MarkdownIt("commonmark", {"maxNesting": _DEEPEST}).enable("table")
BLOCKS.disable(["code", "lheading", "reference"])
BLOCKS.core.ruler.disable(["inline"])
_ENDS: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
BLOCKS.block.ruler.before("table", "component", _component, _ENDS)
BLOCKS.block.ruler.before("table", "question", _question, _ENDS)
BLOCKS.block.ruler.at("html_block", _comment, _ENDS)
# Without links, whose search takes quadratic time for a line of brackets.
INLINE = MarkdownIt("commonmark", {"maxNesting": _DEEPEST}).disable(["link", "image"])


def children(text: str) -> list[Token]:
    """The inline tokens of a text."""
    (parsed,) = INLINE.parseInline(text)
    return parsed.children or []


def plain(tokens: Sequence[Token]) -> str:
    """Inline tokens as text on one line, without marks such as bold."""
    parts = [" " if token.type in ("softbreak", "hardbreak") else token.content for token in tokens]
    return " ".join("".join(parts).split())


def end_of(tokens: Sequence[Token], start: int) -> int:
    """The index of the token that closes `tokens[start]`; `start` itself for a token without an end."""
    if tokens[start].nesting <= 0:
        return start
    level = tokens[start].level
    return next(
        n for n in range(start + 1, len(tokens)) if tokens[n].nesting < 0 and tokens[n].level == level
    )
