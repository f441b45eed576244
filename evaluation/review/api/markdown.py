"""Renders responses as Markdown, for campaigns that allow it.

Only text-level marks, lists, tables and code are allowed: no images, no links, and nothing executable. Both sides go
through the same call.
"""

import nh3
from markdown_it import MarkdownIt

_TAGS = {
    "p",
    "br",
    "hr",
    "strong",
    "em",
    "s",
    "code",
    "pre",
    "blockquote",
    "ul",
    "ol",
    "li",
    "h3",
    "h4",
    "h5",
    "h6",
}
_TAGS |= {"table", "thead", "tbody", "tr", "th", "td"}
_parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
_parser.disable(["image", "html_block", "html_inline"])


def rendered(text: str) -> str:
    """Sanitised HTML. Headings start at the third level, below the page's own."""
    tokens = _parser.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
    return nh3.clean(_parser.renderer.render(tokens, _parser.options, {}), tags=_TAGS, attributes={})
