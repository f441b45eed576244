"""The Markdown dialect: what loads, what is refused and where, and which answers count."""

import json
from pathlib import Path

import pytest

from evaluation import rubrics
from evaluation.rubrics import FormDefinition, RubricError, parse, validate_answers

SEED = Path(__file__).resolve().parents[4] / "shared" / "seeds" / "003_93b67049184de2b6.txt"


def form(*lines):
    return "\n".join(["## Rate", "{type: form}", *lines])


SCALE = form("**Empathy:**", "{type: scale, per: side}")


@pytest.mark.skipif(not SEED.exists(), reason="the seed document is not beside this checkout")
def test_the_seed_document_loads_whole():
    found = parse(SEED.read_text(encoding="utf-8"))
    kinds = [field.kind for field in found.fields]
    assert found.title == "Phase 4: Model Comparison and Evaluation"
    assert kinds == ["select"] * 4 + ["text", "multi_select", "text", "select", "text", "text"]
    assert [len(field.options) for field in found.fields] == [5, 5, 5, 5, 0, 8, 0, 4, 0, 0]
    assert found.fields[0].label == "Rate the improvement in empathy (1-10 scale)"
    assert found.fields[5].options[0] == "More empathetic acknowledgment of customer emotions"
    assert found.fields[4].placeholder == "Describe the key improvements you observe..."
    assert len({field.key for field in found.fields}) == 10


def test_the_shipped_rubric_asks_for_points_and_outcomes_of_each_side():
    found = parse(rubrics.builtin("customer_support"))
    kinds = {field.key: field.kind for field in found.fields}
    scales = [key for key, kind in kinds.items() if kind == "scale"]
    assert scales == ["empathy", "professionalism", "helpfulness", "satisfaction"]
    assert [key for key, kind in kinds.items() if kind == "yes_no"] == ["resolved", "escalation"]
    assert {field.per for field in found.fields} == {"side"}
    groups = list(dict.fromkeys(field.group for field in found.fields))
    assert groups == ["Politeness", "Response quality", "Efficiency"]
    assert "tie" in found.instructions


@pytest.mark.parametrize("name", ["customer_support", "instruction_following", "safety"])
def test_every_shipped_rubric_loads_and_has_a_criterion(name):
    found = parse(rubrics.builtin(name))
    assert found.title and found.instructions
    assert any(field.kind == "scale" and field.per == "side" for field in found.fields)


@pytest.mark.parametrize("name", ["customer_support", "instruction_following", "safety"])
def test_a_rubric_asks_the_same_in_german(name):
    """With the same keys, so that the results of two languages can be laid side by side."""

    def asked(text):
        return [
            (f.key, f.kind, f.per, f.minimum, f.maximum, len(f.options), f.when) for f in parse(text).fields
        ]

    german, english = rubrics.builtin(f"{name}.de"), rubrics.builtin(name)
    assert asked(german) == asked(english)
    assert {f.label for f in parse(german).fields}.isdisjoint({f.label for f in parse(english).fields})


@pytest.mark.parametrize("language", ["", "de"])
def test_shipped_practice_says_why(language):
    shipped = rubrics.practice("customer_support", language)
    assert [item["expected"] for item in shipped] == [["right"], ["right"], ["tie"]]
    assert all(len(item["explanation"]) > 40 for item in shipped)
    assert ("Kunde" in shipped[0]["prompt"]["instruction"]) == (language == "de")
    assert rubrics.practice("nothing_like_it", language) == []


def test_paragraphs_stay_apart_and_questions_leave_no_gaps():
    text = "## How\n\n{type: instructions}\n\nRead\nboth.\n\n\n\nThen rate.\n\n" + form(
        "", "**Why?**", "{type: textarea}", "", "**Who?**", "{type: textarea}"
    )
    found = parse(text)
    assert found.instructions == "Read\nboth.\n\nThen rate."
    assert found.sections[1].text == ""


def test_a_form_survives_json():
    found = parse(rubrics.builtin("customer_support"))
    assert FormDefinition.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("## A\n\n{type: hologram}", 3, "Unknown component type 'hologram'"),
        ("## A\n{type: form", 2, "not closed"),
        ("## A\n{type: form]}", 2, "not written as"),
        ("## A\n{kind: form}", 2, "begins with its type"),
        ("## A\ntext {type: form}", 2, "line of its own"),
        (form("**Why?**", "", "## B"), 3, "has no {type: …} after it"),
        (form("**Why?**"), 3, "has no {type: …} after it"),
        (form("{type: textarea}"), 3, "needs a **question**"),
        (form("**Which?**", "{type: select, options: [one]}"), 4, "at least two options"),
        (form("**Which?**", "{type: select, options: [a, a]}"), 4, "Two options are the same"),
        (form("**How?**", "{type: scale, min: 5, max: 2}"), 4, "A scale goes from"),
        (form("**How?**", "{type: scale, per: reviewer}"), 4, "`per` is side, pair or campaign"),
        (form("**How?**", "{type: scale, colour: red}"), 4, "no attribute colour"),
        (form("**A**", "{type: textarea}", "**a**", "{type: textarea}"), 6, "used twice"),
        (form("**A**", "{type: textarea, key: 'A b'}"), 4, "must be lower-case"),
        (form("**A**", "{type: textarea, required: maybe}"), 4, "true or false"),
        ("## A\n{type: selection, multiple: true}\n- only", 2, "at least two options"),
        ("---\ntitle: x", 1, "no closing ---"),
        ("---\na: [\n---", 2, "not YAML"),
        ("---\ncomponents:\n  - type: hologram\n---", 3, "Unknown component type"),
    ],
)
def test_a_mistake_is_named_with_its_line(text, line, said):
    with pytest.raises(RubricError) as caught:
        parse(text)
    assert caught.value.line == line
    assert said in str(caught.value)


def test_yaml_in_a_rubric_cannot_make_objects():
    with pytest.raises(RubricError):
        parse(form("**A**", "{type: textarea, help: !!python/object/apply:os.system ['true']}"))


@pytest.mark.parametrize(
    ("scores", "where"),
    [
        ({}, ["scores.empathy.left", "scores.empathy.right"]),
        ({"empathy": {"left": 3}}, ["scores.empathy.right"]),
        ({"empathy": {"left": 0, "right": 11}}, ["scores.empathy.left", "scores.empathy.right"]),
        ({"empathy": {"left": True, "right": 2.5}}, ["scores.empathy.left", "scores.empathy.right"]),
        ({"empathy": {"left": 3, "right": 4, "middle": 5}}, ["scores.empathy.middle"]),
        ({"empathy": 3}, ["scores.empathy"]),
        ({"empathy": {"left": 1, "right": 10}, "charm": {"left": 1, "right": 1}}, ["scores.charm"]),
        ({"empathy": {"left": 1, "right": 10}}, []),
    ],
)
def test_scores_are_checked_side_by_side(scores, where):
    assert [problem.field for problem in validate_answers(parse(SCALE), scores, {})] == where


MIXED = form(
    "**Which?**",
    "{type: select, options: [a, b], required: true}",
    "**All?**",
    "{type: multi_select, options: [x, y]}",
    "**Sure?**",
    "{type: yes_no}",
    "**Why?**",
    "{type: textarea}",
)


@pytest.mark.parametrize(
    ("answers", "where"),
    [
        ({"which": "a", "all": ["x", "y"], "sure": False, "why": "so"}, []),
        ({"which": "a"}, []),
        ({}, ["answers.which"]),
        ({"which": "c"}, ["answers.which"]),
        ({"which": ["a"]}, ["answers.which"]),
        ({"which": "a", "all": ["x", "x"]}, ["answers.all"]),
        ({"which": "a", "all": ["z"]}, ["answers.all"]),
        ({"which": "a", "all": [{}]}, ["answers.all"]),
        ({"which": "a", "sure": "yes"}, ["answers.sure"]),
        ({"which": "a", "why": 7}, ["answers.why"]),
        ({"which": "a", "why": "x" * 6000}, ["answers.why"]),
        ({"which": "a", "who": "me"}, ["answers.who"]),
    ],
)
def test_other_answers_are_checked_by_kind(answers, where):
    assert [problem.field for problem in validate_answers(parse(MIXED), {}, answers)] == where


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        (form("**How?**", "{type: scale, min: 5, max: 2}"), 4, 23, "A scale goes from"),
        (form("**How?**", "  {type: scale, colour: red}"), 4, 17, "no attribute colour"),
        (form("**How?**", "{type: textarea, options: [a, b]}"), 4, 18, "no attribute options"),
        (form("**A**", "{type: text, key: 'A b'}"), 4, 14, "must be lower-case"),
        (form("**A**", "{type: text, key: preference}"), 4, 14, "is taken"),
        (form("**A**", "{type: text, help: x, help: y}"), 4, 23, "given twice"),
        (form("**A**", "{type: select, options: [a, {b: 1}]}"), 4, 29, "put it in quotes"),
        (form("**A**", "{type: select, options: [a, ' ']}"), 4, 29, "is empty"),
        (form("**A**", "{type: select, options: [a, b,", "  a]}"), 5, 3, "Two options are the same"),
        (form("**A**", "{type: hologram}"), 4, 2, "Unknown component"),
        (form("  **A**"), 3, 3, "has no {type: …} after it"),
        (form("**A**", "{type: yes_no, when: resolved}"), 4, 16, "`when` is written"),
        (form("**A**", "{type: yes_no, when: b=yes}"), 4, 16, "No question above"),
        (form("**A**", "{type: text, key: a}", "**B**", "{type: text, when: a=x}"), 6, 14, "is a text"),
        (form("**A**", "{type: scale, key: a}", "**B**", "{type: text, when: a<=11}"), 6, 14, "1 to 10"),
        (form("**A**", "{type: yes_no, key: a}", "**B**", "{type: text, when: a=maybe}"), 6, 14, "yes or no"),
        (form("**A**", "{type: yes_no, key: a}", "**B**", "{type: text, when: a>=1}"), 6, 14, "no scale"),
        (form("**A**", "{type: text, when: preference=mine}"), 4, 14, "one of left"),
        ("---\ntitle: 'x\n---", 2, None, "not YAML"),
        ("## A\nx\x00", 2, 2, "NUL"),
    ],
)
def test_a_mistake_is_named_with_its_column(text, line, column, said):
    with pytest.raises(RubricError) as caught:
        parse(text)
    assert said in str(caught.value)
    assert caught.value.line == line
    assert column is None or caught.value.column == column


BRANCHING = form(
    "**Resolved?**",
    "{type: yes_no, key: resolved, per: side, required: true}",
    "**What is missing?**",
    "{type: text, key: missing, per: side, required: true, when: resolved=no}",
    "**Why is either unresolved?**",
    "{type: text, key: why, required: true, when: resolved=no}",
    "**What would you have sent?**",
    "{type: text, key: instead, required: true, when: preference=both_bad}",
    "**Tone**",
    "{type: scale, key: tone, max: 5, per: side}",
    "**What was rude?**",
    "{type: multi_select, key: rude, options: [words, other], when: tone<=2}",
    "**Which other?**",
    "{type: text, key: other, required: true, when: rude=other}",
)
CIVIL = {"tone": {"left": 4, "right": 5}}
RUDE = {"tone": {"left": 2, "right": 5}}
BOTH = {"left": True, "right": True}


@pytest.mark.parametrize(
    ("preference", "scores", "answers", "where"),
    [
        ("left", CIVIL, {"resolved": BOTH}, []),
        ("left", CIVIL, {"resolved": {**BOTH, "left": False}}, ["answers.missing.left", "answers.why"]),
        (
            "left",
            CIVIL,
            {"resolved": {**BOTH, "left": False}, "missing": {"left": "date"}, "why": "late"},
            [],
        ),
        ("left", CIVIL, {"resolved": BOTH, "missing": {"left": "date"}}, ["answers.missing.left"]),
        ("left", CIVIL, {"resolved": BOTH, "why": "late"}, ["answers.why"]),
        ("both_bad", CIVIL, {"resolved": BOTH}, ["answers.instead"]),
        ("both_bad", CIVIL, {"resolved": BOTH, "instead": "Sorry."}, []),
        ("left", RUDE, {"resolved": BOTH, "rude": ["other"]}, ["answers.other"]),
        ("left", RUDE, {"resolved": BOTH, "rude": ["words"]}, []),
        ("left", CIVIL, {"resolved": BOTH, "rude": ["other"]}, ["answers.rude"]),
    ],
)
def test_a_question_is_asked_when_its_condition_holds(preference, scores, answers, where):
    found = validate_answers(parse(BRANCHING), scores, answers, preference)
    assert [problem.field for problem in found] == where


def test_a_condition_survives_json_and_tells_true_from_one():
    found = parse(BRANCHING)
    assert FormDefinition.from_json(json.loads(json.dumps(found.to_json()))) == found
    condition = found.fields[1].when
    assert condition is not None and not condition.holds(0) and condition.holds(False)


def test_what_stands_above_the_options_is_their_help(shared_data):
    seed = shared_data.parent / "seeds" / "003_93b67049184de2b6.txt"
    found = parse(seed.read_text(encoding="utf-8")).fields[5]
    assert found.label == "Select Observed Improvements"
    assert found.help == "Which improvements do you observe in the fine-tuned model?"
