from typing import Any

import pytest

from ftplatform.text.turns import Call, ShownTurn, indented, parts, shown_turns, tool_names


def test_turns_keep_their_order_role_text_and_tool_calls() -> None:
    calls = [
        {"id": "1", "type": "function", "function": {"name": "find_order", "arguments": '{"number": 7}'}},
        {"type": "function", "function": {"name": "broken", "arguments": "{number"}},
        {"function": {"name": "open", "arguments": {"city": "Zürich"}}},
    ]
    messages: list[dict[str, Any]] = [
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
        ('"\\ud800"', '"\\ud800"'),
        ("NaN", "NaN"),
    ],
)
def test_arguments_that_indenting_would_change_stay_as_they_are(arguments, shown):
    call = {"function": {"name": "find", "arguments": arguments}}

    (turn,) = shown_turns([{"role": "assistant", "tool_calls": [call]}])

    assert turn.calls == (Call("find", shown),)


def test_tools_without_a_name_are_left_out():
    tools: list[dict[str, Any]] = [
        {"type": "function", "function": {"name": "a"}},
        {"name": "b"},
        {"type": "code"},
        {"function": 3},
    ]
    assert tool_names(tools) == ("a", "b")


def turns(*texts_by_role):
    return shown_turns([{"role": role, "content": text} for role, text in texts_by_role])


def test_the_turns_before_the_users_last_one_are_the_earlier_ones():
    chat = turns(("system", "Be brief."), ("user", "Hello?"), ("assistant", "Hello."), ("user", "Where?"))
    asked = (*chat, *turns(("assistant", "One moment."), ("tool", "On its way.")))

    assert parts(chat).earlier == chat[:3] and parts(chat).latest == chat[3:]
    assert parts(asked).earlier == chat[:3] and len(parts(asked).latest) == 3
    assert parts(chat[:1]).earlier == () and parts(chat[:1]).latest == chat[:1]


def test_many_or_long_earlier_turns_are_folded():
    question = ("user", "Where?")
    assert not parts(turns(*[question] * 4)).folded
    assert parts(turns(*[question] * 5)).folded
    assert not parts(turns(("system", "x" * 10_000), question)).folded
    assert parts(turns(("system", "x" * 10_000), ("user", "y" * 301), question)).folded


def test_a_turn_without_weight_is_untrained():
    spoken = {"role": "assistant", "content": "Hello."}
    marked = shown_turns([spoken, spoken | {"weight": 0}, spoken | {"weight": 1}])
    assert [turn.untrained for turn in marked] == [False, True, False]


def test_json_is_indented_and_other_text_kept():
    assert indented('{"a":[1.50,"x y"]}') == '{"a":[1.50,"x y"]}'
    assert indented('{"a":["x y"]}') == '{\n  "a": [\n    "x y"\n  ]\n}'
    assert indented("On its way.") == "On its way."
