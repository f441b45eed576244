"""Markdown as sanitised HTML: text-level marks, lists, tables and code. No images, and nothing executable.

Headings start at the third level, below the page's own.
"""

import nh3
from markdown_it import MarkdownIt

_TAGS = {
    *("p", "br", "hr", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li"),
    *("h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}
_OFF = ["image", "html_block", "html_inline"]
# The dialect of rubrics: indented lines are no code and underlines no headings.
_DIALECT = ["code", "lheading", "reference"]
# Looking for links takes quadratic time in the number of brackets.
_MOST_BRACKETS = 2_000


def _parser(off: list[str]) -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
    return made.disable(off)


_RESPONSES, _DOCUMENTS, _NO_LINKS = _parser(_OFF), _parser(_OFF + _DIALECT), _parser([*_OFF, "link"])


def response(text: str) -> str:
    """A response as HTML, without links. Both sides of a pair go through the same call."""
    return nh3.clean(_rendered(_RESPONSES, text, lower=2), tags=_TAGS, attributes={})


def document(text: str) -> str:
    """The text of a rubric as HTML. Links open a new page and say nothing about this one."""
    return nh3.clean(
        _rendered(_DOCUMENTS, text, lower=1),
        tags=_TAGS | {"a"},
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )


def _rendered(parser: MarkdownIt, text: str, *, lower: int) -> str:
    """HTML with headings `lower` levels further down; a heading of the text is never above the third level."""
    parser = parser if text.count("[") <= _MOST_BRACKETS else _NO_LINKS
    tokens = parser.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(max(int(token.tag[1]) + lower, 3), 6)}"
    return str(parser.renderer.render(tokens, parser.options, {}))
