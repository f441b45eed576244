"""Turns of a chat become one row: the last trained answer is the output, and what is wrong has a place."""

import io
import json

import pytest

from training.intake import near_duplicates
from training.intake.conversations import is_single_question, of_turns, prompt_parts
from training.intake.readers.lines import RowError
from training.intake.rows import ColumnMapping, Rows
from training.intake.splits import prompt_hash


def turn(role, content, **more):
    return {"role": role, "content": content, **more}


USER, ANSWER, SYSTEM = (
    turn("user", "Where is it?"),
    turn("assistant", "On its way."),
    turn("system", "Be kind."),
)
CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}


def read(*rows, mapping=None, name="a.jsonl"):
    content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    source = Rows(io.BytesIO(content), name, mapping)
    found = list(source.read())
    return found, source


def one(row, **options):
    (found,), _ = read(row, **options)
    assert not found.problem, found
    return found.example


def test_system_user_and_assistant_are_stored_in_the_short_form():
    assert one({"messages": [SYSTEM, USER, ANSWER]}) == {
        "id": "row-1",
        "instruction": "Be kind.",
        "input": "Where is it?",
        "output": "On its way.",
    }


def test_a_chat_without_system_turn_keeps_its_turns():
    assert one({"messages": [USER, ANSWER], "id": "x", "group": "g"}) == {
        "id": "x",
        "messages": [USER],
        "output": "On its way.",
        "group": "g",
    }


def test_the_last_trained_answer_is_the_output_and_later_turns_are_counted():
    turns = [
        USER,
        turn("assistant", "No.", weight=0),
        USER,
        ANSWER,
        USER,
        turn("assistant", "x", weight=0),
        USER,
    ]
    (found,), source = read({"messages": turns})
    assert found.example["messages"] == turns[:3]
    assert found.example["output"] == "On its way."
    assert found.dropped == 3 and source.facts()["dropped_turns"] == 3


def test_tool_calls_stay_with_their_turn_and_an_answer_may_be_one():
    tools = [{"type": "function", "function": {"name": "find"}}]
    call = turn("assistant", None, tool_calls=[CALL])
    result = turn("tool", "7", tool_call_id="c1")
    row = one({"messages": [USER, call, result, ANSWER], "tools": tools})
    assert row["messages"] == [USER, turn("assistant", "", tool_calls=[CALL]), result]
    assert row["tools"] == tools
    assert one({"messages": [USER, call]})["output"] == {"content": "", "tool_calls": [CALL]}
    assert one({"messages": [SYSTEM, USER, ANSWER], "tools": tools})["messages"] == [SYSTEM, USER]


def test_sharegpt_and_openai_spell_the_same_turns():
    turns = [
        {"from": "system", "value": "Be kind."},
        {"from": "human", "value": "Hi"},
        {"from": "gpt", "value": "Ho"},
    ]
    row = one({"conversations": turns, "source": "x"})
    assert (row["instruction"], row["input"], row["output"]) == ("Be kind.", "Hi", "Ho")


def test_text_parts_are_joined_and_an_empty_system_turn_is_left_out():
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    assert one({"messages": [turn("system", ""), turn("user", parts), ANSWER]})["messages"] == [
        turn("user", "one\ntwo")
    ]


def test_a_thousand_turns_are_one_row():
    row = one({"messages": [USER, ANSWER] * 1000})
    assert len(row["messages"]) == 1999


def test_a_stored_row_can_be_read_again():
    row = {"id": "a", "messages": [USER], "output": {"intent": "parcel"}, "tools": [{"name": "find"}]}
    assert one(row) == {
        "id": "a",
        "messages": [USER],
        "output": {"intent": "parcel"},
        "tools": [{"name": "find"}],
    }


@pytest.mark.parametrize(
    ("turns", "field", "said"),
    [
        ([], "messages", "list of turns"),
        ("hello", "messages", "list of turns"),
        ([ANSWER], "messages[0]", "begins with"),
        ([SYSTEM, ANSWER], "messages[1]", "begins with"),
        ([SYSTEM, SYSTEM, USER, ANSWER], "messages[1]", "only the first turn"),
        ([USER, SYSTEM, ANSWER], "messages[1]", "only the first turn"),
        ([USER, USER, ANSWER], "messages[1]", "second user turn"),
        ([USER, ANSWER, ANSWER], "messages[2]", "second assistant turn"),
        ([USER], "messages", "no assistant turn"),
        ([USER, turn("assistant", "x", weight=0)], "messages", "no assistant turn"),
        ([turn("owner", "x"), ANSWER], "messages[0].role", "owner"),
        ([{"content": "x"}, ANSWER], "messages[0].role", "missing"),
        ([turn("user", " "), ANSWER], "messages[0]", "no text"),
        ([USER, turn("assistant", "")], "messages[1]", "no text"),
        ([turn("user", 5), ANSWER], "messages[0].content", "must be a text"),
        (
            [turn("user", [{"type": "image_url", "image_url": {}}]), ANSWER],
            "messages[0].content[0]",
            "image_url",
        ),
        ([USER, turn("assistant", "x", weight=2)], "messages[1].weight", "0 or 1"),
        ([USER, turn("assistant", "x", mood="glad")], "messages[1].mood", "unknown field mood"),
        ([turn("user", "x", tool_calls=[CALL]), ANSWER], "messages[0].tool_calls", "only assistant"),
        ([USER, turn("assistant", "", tool_calls=[{}])], "messages[1].tool_calls[0]", "`name`"),
        ([USER, turn("assistant", "", tool_calls=[CALL]), USER], "messages[2]", "tool's result"),
        ([USER, turn("tool", "x"), ANSWER], "messages[1]", "tool turn after a user turn"),
        ([USER, "hello"], "messages[1]", "must be a turn"),
        ([turn("system", "")], "messages", "no assistant turn"),
        ("[not json", "messages", "Not JSON"),
    ],
)
def test_what_is_wrong_has_one_message_and_a_place(turns, field, said):
    with pytest.raises(RowError, match=said) as caught:
        of_turns(turns, "messages")
    assert caught.value.field == field


def test_a_row_with_both_forms_and_a_bad_tool_are_refused():
    (both, tools), _ = read(
        {"messages": [USER, ANSWER], "instruction": "x"}, {"messages": [USER, ANSWER], "tools": ["x"]}
    )
    assert (both.field, tools.field) == ("messages", "tools")


def test_alpaca_with_system_and_history_becomes_turns():
    row = {
        "instruction": "Translate.",
        "input": "Haus",
        "output": "house",
        "system": "You translate.",
        "history": [["Baum", "tree"]],
    }
    made = one(row)
    assert [(turn["role"], turn["content"]) for turn in made["messages"]] == [
        ("system", "You translate."),
        ("user", "Baum"),
        ("assistant", "tree"),
        ("user", "Translate.\n\nHaus"),
    ]
    plain = one({**row, "history": []})
    assert (plain["instruction"], plain["input"]) == ("You translate.", "Translate.\n\nHaus")
    assert one({**row, "system": "", "history": None})["messages"] == [turn("user", "Translate.\n\nHaus")]


@pytest.mark.parametrize(
    ("history", "field"),
    [
        ([["only one"]], "history[0]"),
        (["x"], "history[0]"),
        ([["a", ""]], "history[0]"),
        (7, "history"),
        ("x", "history"),
    ],
)
def test_a_bad_history_is_named(history, field):
    mapping = ColumnMapping(input_column="q", output_column="a", history_column="history")
    (found,), _ = read({"q": "x", "a": "y", "history": history}, mapping=mapping)
    assert found.field == field


def test_an_input_without_instruction_is_a_user_turn():
    mapping = ColumnMapping(input_column="q", output_column="a")
    assert one({"q": "Why?", "a": "So."}, mapping=mapping)["messages"] == [turn("user", "Why?")]
    (found,), _ = read({"q": " ", "a": "So."}, mapping=mapping)
    assert (found.field, found.problem) == ("q", "`q` is empty.")


@pytest.mark.parametrize(
    ("task", "text"), [({"a": 1}, "x"), (7, "x"), ("do", 7), ("do", ["x"]), (" ", "x"), (None, "x")]
)
def test_what_is_no_text_is_refused_in_a_user_turn(task, text):
    mapping = ColumnMapping(instruction_column="task", input_column="q", output_column="a", system_column="s")
    (found,), _ = read({"task": task, "q": text, "a": "So.", "s": "S"}, mapping=mapping)
    assert found.field == ("q" if task == "do" else "task")


def test_equal_prompts_of_both_forms_share_a_hash_and_all_turns_count():
    short = {"instruction": "Hi", "input": ""}
    assert prompt_hash(short) == prompt_hash({"messages": [turn("user", "Hi")]})
    longer = {"messages": [turn("user", "Hi"), ANSWER, USER]}
    assert prompt_hash(longer) != prompt_hash({"messages": [turn("user", "Ho"), ANSWER, USER]})
    assert prompt_parts({"messages": [SYSTEM, USER, ANSWER, USER]}) == (
        "Be kind.",
        ["Where is it?", "On its way.", "Where is it?"],
    )
    assert is_single_question({"messages": [SYSTEM, USER]}) and not is_single_question(longer)
    task, hashes = near_duplicates.asked(longer)
    assert task == "" and len(hashes) == len(near_duplicates.shingles("Hi On its way. Where is it?"))
