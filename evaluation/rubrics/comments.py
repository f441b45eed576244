"""HTML comments in a Markdown document: authors' notes, which reviewers never see."""

import re
from collections.abc import Iterator

from markdown_it.token import Token

from evaluation.rubrics.markdown import BLOCKS, children
from evaluation.rubrics.places import RubricError, position

_OPEN, _CLOSE = "<!--", "-->"
_VISIBLE = re.compile(r"[^\n]")
_Span = tuple[int, int]


def blanked(text: str) -> str:
    """The document with spaces in place of its comments, so that every line and column stays.

    Code that contains a comment is kept. Raises RubricError for a comment that does not end.
    """
    if _OPEN not in text:
        return text
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    spans: list[_Span] = []
    for token in BLOCKS.parse(text):
        if token.map and _OPEN in token.content and token.type != "fence":
            found = _in_line if token.type == "inline" else _in_block
            spans += found(token, text, starts[token.map[0]], min(starts[token.map[1]], len(text)))
    parts, kept = [], 0
    for begin, end in spans:
        parts += [text[kept:begin], _VISIBLE.sub(" ", text[begin:end])]
        kept = end
    return "".join(parts) + text[kept:]


def _in_block(token: Token, text: str, first: int, last: int) -> Iterator[_Span]:
    """Comments of a block of HTML or of a component, whose source is `text[first:last]`."""
    while (begin := text.find(_OPEN, first, last)) >= 0:
        first = _end(text, begin, last)
        yield begin, first


def _in_line(token: Token, text: str, first: int, last: int) -> Iterator[_Span]:
    """Comments within a paragraph, whose source is `text[first:last]`."""
    for child in children(token.content):
        if child.type == "code_inline":
            for _ in range(child.content.count(_OPEN)):
                first = text.find(_OPEN, first, last) + len(_OPEN)
        elif _OPEN in child.content:
            begin = text.find(_OPEN, first, last)
            first = _end(text, begin, last) if child.type == "html_inline" else _end(text, begin, begin)
            yield begin, first


def _end(text: str, begin: int, last: int) -> int:
    end = text.find(_CLOSE, begin + 2, last)
    if end < 0:
        message = "The comment that opens here is not closed with --> in its paragraph."
        raise RubricError(message, *position(text, begin))
    return end + len(_CLOSE)
