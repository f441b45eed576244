from evaluation.comparison.turns import Call, ShownTurn, shown_turns


def test_turns_keep_their_order_role_text_and_tool_calls() -> None:
    calls = [
        {"id": "1", "type": "function", "function": {"name": "find_order", "arguments": '{"number": 7}'}},
        {"type": "function", "function": {"name": "broken", "arguments": "{number"}},
        {"function": {"name": "open", "arguments": {"city": "Zürich"}}},
    ]
    messages = [
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
