"""Whole rubrics: questions about the campaign, what a campaign lacks, every component, and stored forms."""

import pytest

from evaluation import rubrics
from evaluation.rubrics import FormDefinition, RubricError, parse
from tests.evaluation.rubrics.test_markdown import form

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
