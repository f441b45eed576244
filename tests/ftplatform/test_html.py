"""Markdown as HTML: text-level marks only, and nothing that runs or loads; only rubrics lead to other pages."""

import re
import time

import pytest

from ftplatform.text.html import document, response

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
    html = response(text)
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
    found = TAG.findall(response(text))
    assert {name.lower() for name, _ in found} <= ALLOWED
    assert {inner.strip(" /") for _, inner in found} <= {""}


def test_the_search_for_tags_would_find_them():
    found = TAG.findall('<p>x</p><img src=x onerror="a()"><a href="/">y</a>')
    assert [name for name, _ in found] == ["p", "p", "img", "a", "a"] and found[2][1].strip() != ""


def test_a_document_keeps_links_lists_and_code():
    text = "### Part\n[guide](https://example.org/?a=1&b=2)\n\n1. one\n   - two\n"
    html = document(text + "\n`a` <b>\n\n    no code\n\n```\n<!-- x -->\n```")
    assert "<h4>Part</h4>" in html and "<ol>" in html and "<code>a</code>" in html
    link = '<a href="https://example.org/?a=1&amp;b=2" target="_blank" rel="noopener noreferrer">guide</a>'
    assert link in html
    assert "<p>no code</p>" in html and "&lt;b&gt;" in html and "&lt;!-- x --&gt;" in html


@pytest.mark.parametrize(
    "text",
    [
        "[click](javascript:alert(1))",
        "[click](data:text/html,x)",
        "<a href='https://evil.example' onclick='x()'>click</a>",
        "[click](https://evil.example 'title\" onclick=\"x()')",
        "<img src=x onerror=alert(1)>",
        "![alt](https://evil.example/pixel.png)",
    ],
)
def test_a_document_only_leads_away(text):
    for name, inner in TAG.findall(document(text)):
        assert name in ("p", "a")
        assert re.fullmatch(
            r'( href="https://[^"]*"( title="[^"]*")? target="_blank" rel="noopener noreferrer")?', inner
        )


@pytest.mark.parametrize("render", [response, document])
@pytest.mark.parametrize("part", ["[", "![[", "[a](", "[a]: "])
def test_brackets_take_little_time(render, part):
    started = time.process_time()
    assert part.strip() in render(part * 30_000)
    assert time.process_time() - started < 5
