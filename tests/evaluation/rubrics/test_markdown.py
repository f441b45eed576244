"""Rubrics as people write Markdown: texts as typed, lists, comments, fences, and where errors are."""

import time

import pytest

from evaluation import rubrics
from evaluation.rubrics import FormDefinition, RubricError, parse


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


# ---- errors


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


# ---- questions for the whole campaign

LESSONS = """## Rate

{type: form}

**Empathy**
{type: scale, per: side}

## Lessons learned

{type: form, per: campaign}

**What worked best?**
{type: textarea, key: best, required: true}

**What did not?**
{type: text, when: "best_enough=no"}
"""


def test_questions_of_the_whole_campaign_are_not_asked_of_reviewers():
    found = parse(LESSONS.replace(', when: "best_enough=no"', ""))
    assert [field.per for field in found.fields] == ["side", "campaign", "campaign"]
    assert [field.key for field in found.for_review().fields] == ["empathy"]
    both = {"left": 3, "right": 4}
    assert rubrics.validate_answers(found.for_review(), {"empathy": both}, {}, "left") == []


@pytest.mark.parametrize(
    ("first", "second", "when"),
    [
        ("pair", "campaign", "a=yes"),
        ("campaign", "side", "a=yes"),
        ("campaign", "campaign", "preference=tie"),
    ],
)
def test_a_question_depends_only_on_questions_that_are_asked_together(first, second, when):
    text = form(
        *("**A**", f"{{type: yes_no, per: {first}, key: a}}"),
        *("**B**", f'{{type: text, per: {second}, when: "{when}"}}'),
    )
    with pytest.raises(RubricError, match=r"asked|cannot depend") as caught:
        parse(text)
    assert caught.value.line == 8


@pytest.mark.parametrize(
    ("component", "codes"),
    [
        ("{type: scale, per: side}", []),
        ("{type: scale}", ["no_criteria"]),
        ("{type: scale, per: campaign}", ["no_criteria"]),
        ("{type: yes_no, per: side}", ["no_criteria"]),
    ],
)
def test_a_form_says_what_a_campaign_lacks(component, codes):
    assert [lack.code for lack in parse(form("**A**", component)).lacking()] == codes
    assert [lack.code for lack in parse("").lacking()] == ["no_criteria"]


def test_forms_stored_before_are_plain_text():
    stored = {
        "title": "Old",
        "instructions": "Read\n<!-- both -->",
        "sections": [{"title": "How", "kind": "instructions", "text": "Read\n<!-- both -->"}],
        "fields": [
            {
                **{"key": "a", "label": "**A**", "kind": "select", "per": "pair", "options": ["8", "**b**"]},
                **{"minimum": None, "maximum": None, "required": False, "help": "", "placeholder": ""},
                **{"group": "", "when": None},
            }
        ],
    }
    found = FormDefinition.from_json(stored)
    assert found.markdown is False
    assert found.to_json()["fields"][0]["label"] == "**A**"


# ---- a whole document

WHOLE = """---
title: "Phase 4: Which reply?"
subtitle: "Old against new"
phase: 4
components:
  - type: "instructions"
  - type: "selection"
  - type: "form"
  - type: "navigation"
---

## Instructions

{type: instructions}

Compare both replies.

**Your tasks:**
1. Read
2. Decide

## Methods

{type: information, icon: "chart-line", title: "Framework"}

**Measures:**
- Accuracy
- Tone

## Scoring

{type: form}

### Quality

**Rate the improvement in empathy (1-10 scale):**
{type: select, options: ["1-2 (No improvement)", "3-4 (Slight improvement)"]}

### Overall

**What is most noticeable?**
{type: textarea, placeholder: "Describe it..."}

## Metrics

{type: selection, multiple: true, title: "Observed improvements"}

Which do you observe?

- Warmer
- Shorter

## Done

{type: information, icon: "trophy", title: "Congratulations!"}

You have finished.

{type: navigation, previous: "Phase 3: Training", next: "Exercise Complete"}
"""


def test_a_document_with_every_component_loads_whole():
    found = parse(WHOLE)
    assert found.title == "Phase 4: Which reply?"
    assert found.instructions == "Compare both replies.\n\n**Your tasks:**\n1. Read\n2. Decide"
    assert [(section.title, section.kind) for section in found.sections] == [
        ("Instructions", "instructions"),
        ("Methods", "information"),
        ("Scoring", "form"),
        ("Metrics", "selection"),
        ("Done", "information"),
    ]
    assert [(f.key, f.kind, f.group, f.options) for f in found.fields] == [
        (
            "rate_the_improvement_in_empathy_1_10_scale",
            *("select", "Quality", ("1-2 (No improvement)", "3-4 (Slight improvement)")),
        ),
        ("what_is_most_noticeable", "text", "Overall", ()),
        ("observed_improvements", "multi_select", "", ("Warmer", "Shorter")),
    ]
    assert found.fields[1].placeholder == "Describe it..."
    assert found.fields[2].help == "Which do you observe?"
    assert found.sections[4].text == "You have finished."


# ---- hostile input


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
