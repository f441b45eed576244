"""Responses as Markdown: text-level marks only, and nothing that runs, loads or leads anywhere."""

import re

import pytest

from evaluation.review.api.markdown import rendered

TAG = re.compile(r"<\s*/?\s*([a-zA-Z][\w-]*)([^>]*)>")
ALLOWED = {
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
}
ALLOWED |= {"h6", "table", "thead", "tbody", "tr", "th", "td"}


def test_marks_lists_tables_and_code_are_shown():
    text = "# Title\n\n**bold** ~~old~~\n\n- one\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\nx < y\n```"
    html = rendered(text)
    for part in ("<h3>Title</h3>", "<strong>bold</strong>", "<s>old</s>", "<li>one</li>", "<td>1</td>"):
        assert part in html
    assert "x &lt; y" in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![alt](https://evil.example/pixel.png)",
        "![alt][1]\n\n[1]: https://evil.example/pixel.png",
        "[click](javascript:alert(1))",
        "[click](https://evil.example/)",
        "<https://evil.example/>",
        "<svg onload=alert(1)><style>*{display:none}</style></svg>",
        "<details open ontoggle=alert(1)>",
        "<p style='position:fixed' class='verdict' id='rating'>x</p>",
        "```<script>alert(1)</script>\nx\n```",
        "$\\href{javascript:alert(1)}{x}$",
        '```mermaid\nclick A href "javascript:alert(1)"\n```',
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "<math><mtext></p><img src=x onerror=alert(1)></mtext></math>",
    ],
)
def test_nothing_runs_loads_or_leads_away(text):
    """Not one tag beyond those named, and no attribute on any of them."""
    found = TAG.findall(rendered(text))
    assert {name.lower() for name, _ in found} <= ALLOWED
    assert {inner.strip(" /") for _, inner in found} <= {""}


def test_the_search_for_tags_would_find_them():
    found = TAG.findall('<p>x</p><img src=x onerror="a()"><a href="/">y</a>')
    assert [name for name, _ in found] == ["p", "p", "img", "a", "a"] and found[2][1].strip() != ""
