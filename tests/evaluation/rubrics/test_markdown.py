"""Rubrics as people write Markdown: texts as typed, lists, comments, fences, and where errors are."""

import pytest

from evaluation import rubrics
from evaluation.rubrics import RubricError, parse


def form(*lines):
    return "\n".join(["## Rate", "", "{type: form}", "", *lines])


def selection(*lines):
    return "\n".join(
        ["## Errors", "", '{type: selection, multiple: true, title: "What is wrong?"}', "", *lines]
    )


def options(text):
    (only,) = parse(text).fields
    return only.options


# ---- texts as typed


def test_options_are_the_texts_as_typed():
    typed = (
        "1.10, 1.9, 010, 1:30, 1_000, 0x1F, 1e3, yes, No, true, null, ~, 2026-11-28, <<, =, 'a: b', \"x\\ty\""
    )
    found = options(form("**Which?**", f"{{type: select, options: [{typed}]}}"))
    assert found == (
        *("1.10", "1.9", "010", "1:30", "1_000", "0x1F", "1e3", "yes", "No", "true", "null", "~"),
        *("2026-11-28", "<<", "=", "a: b", "x\ty"),
    )


def test_listed_options_are_the_texts_as_typed():
    listed = ["1.10", "010", "1:30", "yes", "1. one", "2026.", "# five", "> six", "{name} is wrong", "5 * 3"]
    assert options(selection(*(f"- {text}" for text in listed))) == tuple(listed)


@pytest.mark.parametrize("title", ["1.10", "Yes", "1:30", "010", "2026-11-28", "No"])
def test_a_title_is_the_text_as_typed(title):
    assert parse(f"---\ntitle: {title}\n---\n{form()}").title == title


def test_an_option_called_yes_can_be_a_condition():
    text = form(
        "**A**", "{type: select, key: a, options: [yes, 1.10]}", "**B**", "{type: text, when: a=1.10}"
    )
    assert parse(text).fields[1].when == rubrics.Condition("a", "=", "1.10")


@pytest.mark.parametrize(
    ("attributes", "field", "value"),
    [
        ("help: 1.10", "help", "1.10"),
        ("help: yes", "help", "yes"),
        ("help:", "help", ""),
        ("placeholder: null", "placeholder", ""),
        ("required: true", "required", True),
        ("required: no", "required", False),
        ("key: on", "key", "on"),
    ],
)
def test_attributes_are_read_as_typed(attributes, field, value):
    assert getattr(parse(form("**A**", f"{{type: text, {attributes}}}")).fields[0], field) == value


# ---- lists


def test_wrapped_and_nested_items_are_whole_options():
    found = options(
        selection(
            "- A factual error that a reader",
            "  would notice at once",
            "- Style",
            "  - too long",
            "  - too",
            "    curt",
            "- **Tone**: rude",
            "- Sources:",
            "    1. missing",
            "    2. `made up`",
        )
    )
    assert found == (
        "A factual error that a reader would notice at once",
        *("Style", "Style: too long", "Style: too curt"),
        "Tone: rude",
        *("Sources: missing", "Sources: made up"),
    )


@pytest.mark.parametrize(
    "lines",
    [
        ("- one", "- two"),
        ("* one", "* two"),
        ("+ one", "+ two"),
        ("1. one", "2. two"),
        ("1) one", "2) two"),
        ("- one", "", "- two"),
        ("- one", "", "", "* two"),
        ("  - one", "  - two"),
        ("- one", "<!-- note -->", "- two"),
        ("- one <!-- note -->", "- two", "{type: navigation}"),
    ],
)
def test_every_kind_of_list_gives_options(lines):
    assert options(selection(*lines)) == ("one", "two")


def test_what_is_above_the_list_is_help_and_what_is_below_is_text():
    found = parse(selection("Choose **all**", "that apply.", "", "- one", "- two", "", "Thank you."))
    assert found.fields[0].help == "Choose all that apply."
    assert found.sections[0].text == "Thank you."


def test_questions_may_be_in_a_numbered_list_wrapped_and_followed_by_a_colon():
    found = parse(
        form(
            *("1. **How good", "   is it?**", "   {type: scale}"),
            *("2. **Why?**:", "   {type: text}"),
            *("", "__Who *else*?__", "Ask a colleague.", "{type: text}"),
            *("", "**What?** <!-- for us -->", "<!-- more -->", "{type: text} <!-- last -->"),
        )
    )
    assert [(field.label, field.kind) for field in found.fields] == [
        ("How good is it?", "scale"),
        ("Why?", "text"),
        ("Who else?", "text"),
        ("What?", "text"),
    ]
    assert found.fields[2].help == "Ask a colleague."
    assert found.sections[0].text == ""


@pytest.mark.parametrize(
    "above", ["- tone", "1. tone", "> tone", "text", "| a |\n|---|", "- tone\n  - facts"]
)
def test_a_question_needs_no_empty_line_above_it(above):
    found = parse(form(*above.split("\n"), "**How good?**", "{type: scale}"))
    assert [field.label for field in found.fields] == ["How good?"]
    assert found.sections[0].text == above


def test_bold_text_that_may_be_a_question_is_text_without_a_component():
    found = parse(form("__Read__ this.", "**Note:** that.", "", "**Scales**:", "", "**Q?**", "{type: scale}"))
    assert [field.label for field in found.fields] == ["Q?"]
    assert found.sections[0].text == "__Read__ this.\n**Note:** that.\n\n**Scales**:"


def test_tags_are_text_and_no_blocks():
    found = parse(selection("<div>", "- one", "- two", "</div>", "{type: navigation}"))
    assert found.fields[0].options == ("one", "two </div>")
    assert found.fields[0].help == "<div>"


def test_a_component_may_be_wrapped_and_indented():
    text = form(
        "**A**",
        "    {type: select,",
        "     options: [one,",
        "       two]}",
        "",
        "    **B**",
        "    {type: text}",
    )
    assert [field.kind for field in parse(text).fields] == ["select", "text"]


# ---- text that reviewers read


def test_comments_are_never_shown():
    text = """<!-- ours -->
---
title: Real
---
## How <!-- secret -->

{type: instructions}

Read <!-- the tuned one
is longer --> both.

<!-- a block
with **two** lines

and {type: hologram} -->

- first <!-- item -->
- second

> quoted <!-- too -->

`<!-- code -->`

```html
<!-- kept -->
```
"""
    found = parse(text.removeprefix("<!-- ours -->\n"))
    assert found.title == "Real" and found.sections[0].title == "How"
    shown = "Read both. - first - second > quoted `<!-- code -->` ```html <!-- kept --> ```"
    assert " ".join(found.instructions.split()) == shown
    assert "secret" not in str(found.to_json()) and "longer" not in str(found.to_json())


def test_text_keeps_its_markdown():
    shown = [
        "Read both.",
        "",
        "- First point",
        "  - below",
        "",
        "1. one",
        "2. two",
        "",
        "```json",
        '{"decision": "refund"}',
        "",
        "",
        "{type: hologram}",
        "```",
        "",
        "| a | b |",
        "|---|---|",
        "| 1 | 2 |",
        "",
        "Write `{type: form}` for a form.",
        "",
        "### Smaller",
        "",
        "#### Smallest",
    ]
    found = parse("\n".join(["## How", "{type: instructions}", *shown, "## F", "{type: form}"]))
    assert found.instructions == "\n".join(shown)
    assert found.markdown is True


def test_text_above_the_first_section_is_kept():
    found = parse("# Title\n\nRead both.\n\n{type: form}\n\n**Q?**\n{type: scale}\n\n## Next\n\nText")
    assert (found.title, [section.text for section in found.sections]) == ("Title", ["Read both.", "Text"])
    assert found.fields[0].label == "Q?"


# ---- lines


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x0b", "\x0c", "\x85", "\x1e"])
def test_a_sign_that_no_editor_takes_for_a_line_end_is_a_space(sign):
    (field,) = parse(form(f"**How good{sign}is it?**", "{type: scale}")).fields
    assert field.label == "How good is it?"


def test_a_line_separator_in_a_component_is_a_space():
    (field,) = parse(
        form("**A**", "{type: select, help: 'a\u2028b', options: ['c\u2028d', e], per: pair}")
    ).fields
    assert (field.help, field.options) == ("a b", ("c d", "e"))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("above", ["", "\n", "\n\n  \n", "\ufeff", "\ufeff\n"])
def test_front_matter_may_come_after_empty_lines(end, above):
    text = (above + "---\ntitle: Round two\n---\n" + form("**Q?**")).replace("\n", end)
    with pytest.raises(RubricError) as caught:
        parse(text)
    assert caught.value.line == above.count("\n") + 8
    assert parse(text + end + "{type: scale}").title == "Round two"
