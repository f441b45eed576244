"""Where the error of a rubric is, and how long a hostile rubric takes."""

import time

import pytest

from evaluation.rubrics import RubricError, parse
from tests.evaluation.rubrics.test_markdown import form, selection


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("## A\n\ntext <!-- open\n\n-->", 3, 6, "comment that opens here"),
        ("## A\n<!-- open\n\ntext", 2, 1, "comment that opens here"),
        ("## A\n- b\n  <!-- open", 3, 3, "comment that opens here"),
        ("## A\n- text {type: form}", 2, 8, "line of its own"),
        ("## A\n{type: form\n\n}", 2, 1, "not closed"),
        ('## A\n{"decision": "refund"}', 2, 1, "begins with its type"),
        ("## A\n{type form}", 2, 1, "begins with its type"),
        (
            form("**A**", "{type: select,", "  options: [a, b],", "  colour: red}"),
            8,
            3,
            "no attribute colour",
        ),
        (form("**A**", "{type: select, options: [a #1, b]}"), 6, 35, "in quotes"),
        (form("**A**", "{type: scale, min: one}"), 6, 15, "A scale goes from"),
        (form("**A**", "{type: scale, max: 1.5}"), 6, 15, "A scale goes from"),
        (form("**A**", "{type: text, help: [a]}"), 6, 14, "`help` is a text"),
        (selection("- one", "- two", "- one"), 7, 3, "Two options are the same"),
        (selection("- one", "-", "- two"), 6, 2, "is empty"),
        (selection("- one", "- two", "", "  ```", "  code", "  ```"), 8, 1, "An option is a text"),
        ("\n---\ntitle: a\ntitle: b\n---", 4, 1, "given twice"),
        ("---\ntitle: Reviews: two\n---", 2, 15, "in quotes"),
        ("---\ntitle: [a]\n---", 2, 8, "The title is a text"),
        ("---\n- a\n---", 2, 1, "key: value"),
        ("---\ncomponents:\n  - type: form\n  - type: maze\n---", 4, 11, "'maze'"),
        ("---\ncomponents: form\n---", 2, 13, "Unknown component type None"),
    ],
)
def test_a_mistake_is_named_with_its_place(text, line, column, said):
    with pytest.raises(RubricError) as caught:
        parse(text)
    assert said in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, column)


@pytest.mark.parametrize(
    "line",
    [
        *("[" * 90_000, "![[" * 30_000, "**a " * 25_000, "`" * 90_000, "<!--" * 25_000, "<" * 90_000),
        *(
            "{type: " * 15_000,
            ">" * 90_000,
            "- " * 45_000,
            "- a\n" * 9_000,
            "{" * 90_000,
            "{type: form}\n" * 7_000,
        ),
        *(
            "{type: select, options: [" + "a," * 9_000 + "b]}",
            "{type: select, options: [" + "a," * 45_000 + "b]}",
        ),
    ],
)
def test_a_hostile_document_takes_little_time(line):
    started = time.process_time()
    for text in (f"## A\n{line}", selection(line), f"---\n{line}\n---"):
        try:
            parse(text)
        except RubricError as error:
            assert error.line <= text.count("\n") + 1
    assert time.process_time() - started < 15


@pytest.mark.parametrize(
    "text", [f"## A\n{{type: form, help: {'a' * 20_000}}}", f"---\ntitle: {'a' * 20_000}\n---"]
)
def test_a_component_and_the_front_matter_have_a_limit(text):
    with pytest.raises(RubricError, match="20,000 characters"):
        parse(text)
