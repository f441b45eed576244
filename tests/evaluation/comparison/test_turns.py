from typing import Any

import pytest

from evaluation.comparison.turns import Call, ShownTurn, last_question, shown_prompt, shown_turns, tool_names
from tests import factories


def test_turns_keep_their_order_role_text_and_tool_calls() -> None:
    calls = [
        {"id": "1", "type": "function", "function": {"name": "find_order", "arguments": '{"number": 7}'}},
        {"type": "function", "function": {"name": "broken", "arguments": "{number"}},
        {"function": {"name": "open", "arguments": {"city": "Zürich"}}},
    ]
    messages: list[Any] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Where is it?"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "name": "find_order", "tool_call_id": "1", "content": "On its way."},
    ]

    assert shown_turns(messages) == (
        ShownTurn("system", "Be brief."),
        ShownTurn("user", "Where is it?"),
        ShownTurn(
            "assistant",
            "",
            (
                Call("find_order", '{\n  "number": 7\n}'),
                Call("broken", "{number"),
                Call("open", '{\n  "city": "Zürich"\n}'),
            ),
        ),
        ShownTurn("tool", "On its way.", name="find_order"),
    )


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (None, ""),
        ("", ""),
        ('{"a": 1, "a": 2}', '{"a": 1, "a": 2}'),
        ('{"a": 1.00000000000000000001}', '{"a": 1.00000000000000000001}'),
        ("[" * 100_000, "[" * 100_000),
        ('"\\ud800"', '"\ufffd"'),
        ("NaN", "NaN"),
    ],
)
def test_arguments_that_indenting_would_change_stay_as_they_are(arguments, shown):
    call = {"function": {"name": "find", "arguments": arguments}}

    (turn,) = shown_turns([{"role": "assistant", "tool_calls": [call]}])

    assert turn.calls == (Call("find", shown),)


def test_tools_without_a_name_are_left_out():
    tools: list[Any] = [
        {"type": "function", "function": {"name": "a"}},
        {"name": "b"},
        {"type": "code"},
        {"function": 3},
    ]
    assert tool_names(tools) == ("a", "b")


def test_the_last_question_is_the_users_last_turn():
    assert last_question(shown_turns(factories.messages(3))) == "Where is order 3?"
    assert last_question(()) == ""


def test_the_api_sends_the_same_fields_for_both_forms():
    short = shown_prompt({"instruction": "Decide.", "input": {"n": 1}})
    turns = shown_prompt({"messages": factories.messages(), "tools": factories.TOOLS})

    assert short == {"instruction": "Decide.", "input": {"n": 1}, "turns": [], "tools": []}
    assert (turns["instruction"], turns["input"], turns["tools"]) == ("", "", ["find_order"])
    assert [turn["role"] for turn in turns["turns"]] == [
        *("system", "user", "assistant", "user", "assistant", "tool")
    ]
    assert turns["turns"][4] == {
        "role": "assistant",
        "text": "",
        "calls": ({"name": "find_order", "arguments": '{\n  "number": 7\n}'},),
        "name": "",
    }
