from evaluation.comparison.turns import last_question, shown_prompt
from ftplatform.text.turns import shown_turns
from tests import factories


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
        "calls": [{"name": "find_order", "arguments": '{\n  "number": 7\n}'}],
        "name": "",
    }
