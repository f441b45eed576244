"""The Markdown of rubrics: CommonMark with tables and components.

Indented lines are no code and underlines no headings, because components are often indented or underlined.
"""

import re
from collections.abc import Iterable, Sequence

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token

_DEEPEST = 100
_TYPED = re.compile(r"\{\s*type\b")


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
BLOCKS.block.ruler.before(
    "table", "component", _component, {"alt": ["paragraph", "reference", "blockquote", "list"]}
)
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
