"""What a file holds is recognised from its content; what is unambiguous needs no mapping, the rest one message."""

import io
import json

import pytest

from ftplatform.errors import DomainError
from training.intake import layouts
from training.intake.rows import ColumnMapping, Rows

TURNS = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


def lines(*rows):
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def examples(content, name="a.jsonl", mapping=None):
    source = Rows(io.BytesIO(content), name, mapping)
    found = list(source.read())
    assert not [row.problem for row in found if row.problem]
    return [row.example for row in found], source


@pytest.mark.parametrize(
    ("row", "name", "example"),
    [
        ({"instruction": "x", "output": "y"}, "rows", {"instruction": "x", "input": "", "output": "y"}),
        ({"messages": TURNS}, "chat", {"messages": TURNS[:1], "output": "b"}),
        ({"messages": TURNS, "source": "web", "n": 7}, "chat", {"messages": TURNS[:1], "output": "b"}),
        ({"conversations": json.dumps(TURNS)}, "chat", {"messages": TURNS[:1], "output": "b"}),
        ({"prompt": TURNS[:1], "completion": TURNS[1:]}, "chat", {"messages": TURNS[:1], "output": "b"}),
        ({"prompt": "a", "completion": "b"}, "pairs", {"messages": TURNS[:1], "output": "b"}),
        ({"question": "a", "answer": "b"}, "pairs", {"messages": TURNS[:1], "output": "b"}),
        (
            {"instruction": "x", "input": "i", "output": "y", "text": "xiy"},
            "alpaca",
            {"instruction": "x", "input": "i", "output": "y"},
        ),
    ],
)
@pytest.mark.parametrize("as_list", [False, True])
def test_known_shapes_need_no_mapping(row, name, example, as_list):
    content = json.dumps([row, row], indent=1).encode() if as_list else lines(row, row)
    found, source = examples(content, "a.json")
    assert source.layout.name == name
    assert found == [{"id": f"row-{number}", **example} for number in (1, 2)]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"prompt": "p", "chosen": "c", "rejected": "r"}, "map `prompt` as the input and `chosen`"),
        ({"prompt": TURNS[:1], "chosen": TURNS[1:], "rejected": TURNS[1:]}, "`prompt` as the conversation"),
        ({"chosen": TURNS, "rejected": TURNS}, "map `chosen` as the conversation"),
        ({"prompt": "p", "completion": "c", "label": True}, "rows with a good completion"),
    ],
)
def test_preferences_are_refused_with_what_can_be_done(row, said):
    with pytest.raises(DomainError, match=said) as caught:
        Rows(io.BytesIO(lines(row)), "a.jsonl", None)
    assert caught.value.code == "preference_data"
    mapping = layouts.recognise(list(row), [row]).mapping
    (example,), _ = examples(lines(row), mapping=mapping)
    assert example["output"] in ("c", "b")


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"text,label\na,b\n", "a.csv", "mapping_needed"),
        (lines({"text": "a", "label": "b"}), "a.jsonl", "mapping_needed"),
        (b"instruction,output,topic\na,b,c\n", "a.csv", "unknown_columns"),
        (lines(*[{"instruction": "a", "output": "b", "topic": "c"}] * 3), "a.jsonl", "unknown_columns"),
    ],
)
def test_a_problem_of_all_rows_is_one_message(content, name, code):
    with pytest.raises(DomainError) as caught:
        Rows(io.BytesIO(content), name, None)
    assert caught.value.code == code


def test_turns_after_the_answer_leave_a_chat_complete():
    chat = {"messages": [*TURNS, TURNS[0]], "source": "web"}
    (example,), source = examples(lines(chat))
    assert example["output"] == "b" and source.facts()["dropped_turns"] == 1


def test_an_answer_in_another_column_belongs_to_turns_that_ask():
    (example,), _ = examples(lines({"messages": TURNS[:1], "completion": "c", "source": "web"}))
    assert example == {"id": "row-1", "messages": TURNS[:1], "output": "c"}


def test_kto_labels_are_recognised_in_a_table_too():
    with pytest.raises(DomainError) as caught:
        Rows(io.BytesIO(b"prompt,completion,label\np,c,True\np,d,False\n"), "a.csv", None)
    assert caught.value.code == "preference_data"


def test_columns_that_a_mapping_does_not_name_are_ignored_and_listed():
    content = b"id,text,label,a,b\n1,x,y,,\n2,z,w,?,!\n"
    _, source = examples(content, "a.csv", ColumnMapping(input_column="text", output_column="label"))
    assert source.facts()["ignored_columns"] == ["id", "a", "b"]


def test_a_field_of_one_row_is_an_error_of_that_row():
    rows = [{"instruction": "a", "output": "b"}, {"instruction": "a", "output": "b", "inptu": "c"}]
    problems = [
        (row.line, row.field) for row in Rows(io.BytesIO(lines(*rows)), "a.jsonl", None).read() if row.problem
    ]
    assert problems == [(2, "inptu")]


def test_rows_of_both_stored_forms_may_be_mixed():
    found, _ = examples(lines({"instruction": "a", "output": "b"}, {"messages": TURNS}))
    assert [sorted(row) for row in found] == [
        ["id", "input", "instruction", "output"],
        ["id", "messages", "output"],
    ]


def test_optional_columns_may_be_absent_from_a_row_and_required_ones_not():
    mapping = ColumnMapping(messages_column="m", tools_column="t", id_column="key", system_column="s")
    rows = [{"m": TURNS, "key": "k", "t": None, "s": "S"}, {"m": TURNS}, {"key": "x"}]
    found = list(Rows(io.BytesIO(lines(*rows)), "a.jsonl", mapping).read())
    assert found[0].example == {"id": "k", "instruction": "S", "input": "a", "output": "b"}
    assert found[1].example and found[1].example["id"] == "row-2"
    assert (found[2].line, found[2].field) == (3, "m")


@pytest.mark.parametrize(
    ("columns", "row", "expected"),
    [
        (
            ["text", "category"],
            {"text": "a", "category": "b"},
            {"input_column": "text", "output_column": "category"},
        ),
        (
            ["question", "answer"],
            {"question": "a", "answer": "b"},
            {"input_column": "question", "output_column": "answer"},
        ),
        (
            ["system", "prompt", "completion", "user_id"],
            {"system": "x", "prompt": '{"a": 1}', "completion": '{"b": 2}', "user_id": "7"},
            {
                "system_column": "system",
                "input_column": "prompt",
                "output_column": "completion",
                "group_column": "user_id",
                "json_cells": True,
            },
        ),
        (["x", "y"], {"x": "1", "y": "2"}, {}),
        (
            ["case_text", "instruction", "answer"],
            {"case_text": '{"a": 1}', "instruction": "Decide.", "answer": '{"b": 2}'},
            {
                "instruction_column": "instruction",
                "input_column": "case_text",
                "output_column": "answer",
                "json_cells": True,
            },
        ),
    ],
)
def test_the_names_of_columns_suggest_a_mapping(columns, row, expected):
    made = layouts.propose(columns, [row]).to_json()
    assert {name: value for name, value in made.items() if value} == expected
