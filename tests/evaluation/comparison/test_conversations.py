"""Conversations as prompts and pairs: read in every form that files have, stored, and asked as they are."""

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse

from evaluation.comparison import readers
from evaluation.comparison.services import leakage, pair_imports, prompts, responses
from evaluation.models import Comparison, Pair, Prompt
from evaluation.review.selectors.counted_ratings import first_of_equal, repeated_prompts
from ftplatform.accounts.services import issue_token
from ftplatform.errors import DomainError
from tests import factories
from training.intake.column_mapping import ColumnMapping
from training.intake.services import datasets

pytestmark = pytest.mark.django_db

USER = {"role": "user", "content": "Hello!"}
ASSISTANT = {"role": "assistant", "content": "How can I help?"}
QUESTION = {"role": "user", "content": "Where is my parcel?"}
ANSWER = {"role": "assistant", "content": "On its way."}
TALK = [USER, ASSISTANT, QUESTION]


@pytest.fixture
def manager(client):
    user = factories.user("manager")
    client.force_login(user)
    return user


def read(content, name="a.jsonl", columns=readers.NO_COLUMNS, mapping=None):
    file = io.BytesIO(content) if isinstance(content, bytes) else factories.jsonl(*content)
    return list(readers.prompts(file, name, mapping, columns))


def read_pairs(*rows, columns=readers.NO_COLUMNS):
    return list(readers.pairs(factories.jsonl(*rows), "a.jsonl", columns))


def parquet(row):
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([row]), file)
    return file.getvalue()


FORMS = {
    "OpenAI": ("a.jsonl", json.dumps({"messages": [*TALK, ANSWER]})),
    "one list": ("a.json", json.dumps([{"messages": [*TALK, ANSWER]}])),
    "ShareGPT": (
        "a.json",
        json.dumps(
            [
                {
                    "conversations": [
                        {"from": "human", "value": "Hello!"},
                        {"from": "gpt", "value": "How can I help?"},
                        {"from": "human", "value": "Where is my parcel?"},
                        {"from": "gpt", "value": "On its way."},
                    ]
                }
            ]
        ),
    ),
    "Alpaca with history": (
        "a.json",
        json.dumps(
            [
                {
                    "instruction": "Where is my parcel?",
                    "input": "",
                    "output": "On its way.",
                    "history": [["Hello!", "How can I help?"]],
                }
            ]
        ),
    ),
    "text in a table": (
        "a.csv",
        'messages,expected\n"' + json.dumps(TALK).replace('"', '""') + '",On its way.\n',
    ),
    "Parquet": ("a.parquet", parquet({"messages": [*TALK, ANSWER]})),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_conversation_is_the_same_prompt(form):
    name, content = FORMS[form]
    (found,) = read(content if isinstance(content, bytes) else content.encode(), name)
    assert found.row is not None, found.problem
    assert found.row["messages"] == TALK and found.row["expected"] == "On its way."
    assert "tools" not in found.row and "instruction" not in found.row


def test_six_turns_with_a_system_turn_and_a_tool_are_kept():
    (found,) = read([{"messages": factories.messages(), "tools": factories.TOOLS}])
    assert found.row["messages"] == factories.messages() and found.row["tools"] == factories.TOOLS
    assert found.row["expected"] is None


def test_one_question_with_tools_keeps_its_form():
    (found,) = read([{"prompt": "Where?", "tools": factories.TOOLS}])
    assert found.row["messages"] == [{"role": "user", "content": "Where?"}]
    assert found.row["tools"] == factories.TOOLS


def test_a_parquet_file_keeps_tool_calls():
    (found,) = read(parquet({"messages": factories.messages(), "tools": factories.TOOLS}), "a.parquet")
    assert found.row is not None, found.problem
    call = found.row["messages"][4]["tool_calls"][0]
    assert call["function"] == {"name": "find_order", "arguments": '{"number": 7}'}


def test_an_expected_tool_call_is_its_name_and_arguments():
    (found,) = read([{"messages": factories.messages()[:5], "tools": factories.TOOLS}])
    assert found.row["expected"] == {"tool_calls": [{"name": "find_order", "arguments": {"number": 7}}]}
    assert len(found.row["messages"]) == 4


def test_weights_are_left_out_because_they_concern_training():
    (found,) = read([{"messages": [USER, {**ASSISTANT, "weight": 0}, QUESTION]}])
    assert found.row["messages"] == TALK


@pytest.mark.parametrize(
    ("row", "field", "said"),
    [
        ({"messages": [ASSISTANT, USER]}, "messages[0]", "must begin with a user turn"),
        ({"messages": [{"role": "system", "content": "a"}] * 2}, "messages[1]", "only the first turn"),
        ({"messages": [{"role": "system", "content": "a"}]}, "messages", "must end with a user turn"),
        ({"messages": [USER, USER]}, "messages[1]", "second user turn"),
        ({"messages": [{"role": "king", "content": "a"}]}, "messages[0].role", "is king"),
        ({"messages": [USER, 7]}, "messages[1]", "must be a turn"),
        ({"messages": "Hello!"}, "messages", "must be a list of turns"),
        ({"messages": "[{"}, "messages", "Not JSON"),
        ({"messages": TALK, "prompt": "x"}, "prompt", "leave `prompt` empty"),
        ({"messages": TALK, "history": [["a", "b"]]}, "history", "leave `history` empty"),
        ({"messages": [*TALK, ANSWER], "expected": "No."}, "expected", "ends with the expected answer"),
        ({"messages": TALK, "tools": [{"function": 3}]}, "tools[0]", "has a `name`"),
        ({"messages": TALK, "tools": {"a": 1}}, "tools", "must be a list"),
        ({"prompt": "Hi", "history": [["a"]]}, "history[0]", "pairs"),
        ({"prompt": " ", "history": []}, "prompt", "not empty"),
        ({"messages": '[{"role": "user", "content": "a\\u0000"}]'}, "messages[0].content", "NUL"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "messages[0].content[0]",
            "image_url",
        ),
    ],
)
def test_what_is_no_conversation_is_refused_with_its_place(row, field, said):
    first, second = read([row, {"messages": TALK}])
    assert first.row is None and second.row is not None
    assert first.field == field and said in first.problem


def test_the_error_names_the_column_of_the_file():
    columns = readers.Columns({"messages": "chat"}, ignore_others=True)
    (found,) = read([{"chat": [USER, 7]}], columns=columns)
    assert found.field == "chat[1]" and found.problem.startswith("`chat[1]` must be a turn")


def test_a_thousand_turns_are_read_and_one_more_is_refused():
    turns = [USER, ASSISTANT] * 500
    (longest,) = read([{"messages": [{"role": "system", "content": "a"}, *turns[:999]]}])
    assert len(longest.row["messages"]) == 1000
    (longer,) = read([{"messages": [*turns, USER]}])
    assert longer.field == "messages" and "1,001 turns" in longer.problem


def test_a_mapping_of_datasets_reads_questions_without_answers():
    mapping = ColumnMapping(
        messages_column="chat", tools_column="tools", id_column="nr", instruction="Be kind."
    )
    first, second = read(
        [
            {"chat": TALK, "tools": factories.TOOLS, "nr": 1, "input": "x"},
            {"chat": [USER, 7], "tools": [], "nr": 2},
        ],
        mapping=mapping,
    )
    assert first.row["messages"] == [{"role": "system", "content": "Be kind."}, *TALK]
    assert (first.row["id"], first.row["expected"]) == ("1", None)
    assert second.field == "chat[1]"


def test_a_mapping_with_history_makes_conversations():
    mapping = ColumnMapping(input_column="q", output_column="a", history_column="before")
    (found,) = read(
        [{"q": "Where is my parcel?", "a": "On its way.", "before": [["Hello!", "How can I help?"]]}],
        mapping=mapping,
    )
    assert found.row["messages"] == TALK and found.row["expected"] == "On its way."


# --- Pairs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "response",
    [
        "On its way.",
        ANSWER,
        [ANSWER],
        json.dumps([ANSWER]),
        [{"from": "gpt", "value": "On its way."}],
        [*TALK, ANSWER],
        {"role": "assistant", "content": [{"type": "text", "text": "On its way."}]},
    ],
)
def test_a_response_is_a_text_or_the_turn_that_holds_it(response):
    (found,) = read_pairs({"messages": TALK, "baseline": response, "candidate": ""})
    assert found.row is not None, found.problem
    assert found.row["baseline"]["text"] == "On its way." and found.row["messages"] == TALK


@pytest.mark.parametrize(
    "response",
    [[USER], [USER, ANSWER], [ANSWER, USER], [*TALK, ANSWER, USER, ANSWER], {"content": "x"}, None, 7],
)
def test_a_response_that_is_no_answer_is_refused(response):
    (found,) = read_pairs({"messages": TALK, "baseline": response, "candidate": "b"})
    assert found.row is None and found.field.startswith("baseline")


def test_a_response_that_calls_a_tool_is_matched_by_name_and_arguments(manager):
    calls = factories.messages()[4]
    row = {"messages": factories.messages()[:5], "tools": factories.TOOLS}
    other = json.loads(json.dumps(calls))
    other["tool_calls"][0] |= {"id": "another"}
    made = pair_imports.create(
        user=manager,
        name="calls",
        file=factories.jsonl(row | {"baseline": "It is late.", "candidate": other}),
        source_name="a.jsonl",
        baseline="a",
        candidate="b",
    )
    pair = made.pairs.get()
    assert json.loads(pair.candidate_response.text) == pair.prompt.expected
    matches = [response.match for response in (pair.baseline_response, pair.candidate_response)]
    assert [match and match["exact"] for match in matches] == [False, True]


def test_preferences_share_their_conversation():
    columns = readers.Columns({"baseline": "rejected", "candidate": "chosen"})
    other = {"role": "assistant", "content": "No idea."}
    (found,) = read_pairs({"chosen": [*TALK, ANSWER], "rejected": [*TALK, other]}, columns=columns)
    assert found.row["messages"] == TALK
    assert [found.row[side]["text"] for side in ("baseline", "candidate")] == ["No idea.", "On its way."]
    (apart,) = read_pairs({"chosen": [*TALK, ANSWER], "rejected": [USER, other]}, columns=columns)
    assert apart.field == "prompt"


# --- Stored -----------------------------------------------------------------------------------------------


def chat_rows(number, *last):
    return [
        {"messages": [*factories.messages(n), *(last or [ANSWER])], "tools": factories.TOOLS}
        for n in range(number)
    ]


def chats(owner, number=20):
    file = factories.jsonl(*chat_rows(number))
    return datasets.create(user=owner, name="chats", file=file, source_name="a.jsonl")


def test_held_out_conversations_become_prompts(manager):
    made = chats(manager)
    prompt_set = prompts.from_dataset(user=manager, name="held out", dataset=made)
    assert prompt_set.size == made.validation_rows > 0
    for prompt in prompt_set.prompts.all():
        assert prompt.messages[3]["content"].startswith("Where is order") and len(prompt.messages) == 6
        assert (prompt.instruction, prompt.input, prompt.expected) == ("", "", "On its way.")
        assert prompt.tools == factories.TOOLS and prompt.tags["length"] == "up to 20 words"


@pytest.mark.parametrize("number", [1, 3000])
def test_files_of_any_size_are_stored(manager, number):
    file = factories.jsonl(*chat_rows(number))
    made = prompts.from_file(user=manager, name="many", file=file, source_name="a.jsonl")
    assert made.size == number == Prompt.objects.filter(prompt_set=made).count()
    assert made.prompts.latest("pk").content == {
        "messages": factories.messages(number - 1),
        "tools": factories.TOOLS,
    }


def test_a_bad_row_leaves_nothing_behind(manager):
    file = factories.jsonl(*chat_rows(3), {"messages": [ASSISTANT]})
    with pytest.raises(DomainError) as caught:
        prompts.from_file(user=manager, name="bad", file=file, source_name="a.jsonl")
    (problem,) = caught.value.problems
    assert (problem["line"], problem["field"]) == (4, "messages[0]")
    assert not Prompt.objects.exists()


def test_a_conversation_that_a_dataset_trains_on_is_found(manager):
    made = chats(manager)
    rows = [item.row for item in read(chat_rows(20))]
    assert leakage.find(rows, made).exact == made.train_rows
    with pytest.raises(DomainError) as caught:
        prompts.from_file(
            user=manager, name="x", file=factories.jsonl(*chat_rows(20)), source_name="a.jsonl", against=made
        )
    assert caught.value.code == "leakage"


def test_a_stored_conversation_is_checked_against_a_new_dataset(manager):
    stored = prompts.from_file(
        user=manager, name="x", file=factories.jsonl(*chat_rows(20)), source_name="a.jsonl"
    )
    made = chats(manager)
    model = factories.adapter(manager, run=factories.training_run(manager, dataset=made))
    ((dataset, finding),) = leakage.new_findings(stored, [model])
    assert dataset == made and finding.exact == made.train_rows


def test_conversations_are_equal_if_all_their_turns_are(manager):
    same = {"messages": TALK, "baseline": "a", "candidate": "b"}
    other = same | {"messages": [{**USER, "content": "Hi!"}, ASSISTANT, QUESTION]}
    with_tools = same | {"tools": factories.TOOLS}
    made = pair_imports.create(
        user=manager,
        name="equal",
        file=factories.jsonl(
            *({**row, "id": key} for key, row in zip("abcd", (same, other, same, with_tools), strict=True))
        ),
        source_name="a.jsonl",
        baseline="one",
        candidate="other",
    )
    campaign = factories.campaign(manager, pairs=4, comparison=made)
    assert repeated_prompts(campaign) == {"c": "a"}
    assert sorted(key for _, key in first_of_equal(campaign).values()) == ["a", "a", "b", "d"]


def test_the_worker_is_given_the_turns(manager):
    run = factories.comparison(manager, prompts=2, finished=False)
    first = run.prompt_set.prompts.earliest("pk")
    first.instruction, first.input, first.messages, first.tools = (
        "",
        "",
        factories.messages(),
        factories.TOOLS,
    )
    first.save()
    written, _ = responses.remaining(run)
    assert {name: written[0].get(name) for name in ("instruction", "messages", "tools")} == {
        "instruction": None,
        "messages": factories.messages(),
        "tools": factories.TOOLS,
    }
    assert written[1]["instruction"] == "Decide." and "messages" not in written[1]


# --- Pages, API and commands ------------------------------------------------------------------------------


def test_a_file_with_turns_is_mapped_and_previewed(client, manager):
    content = json.dumps([{"conversations": TALK, "notes": "x"}]).encode()
    body = {"file": SimpleUploadedFile("a.json", content), "map": "1", "name": "set"}
    url = client.post(reverse("evaluation:prompt_set_new") + "?from=file", body).url
    page = client.get(url)
    assert page.context["columns"]["role_0"].value() == "messages"
    assert page.context["preview"].rows[0]["messages"] == TALK
    stored = client.post(url, {"role_0": "messages", "store": "1", "name": "set"})
    assert stored.status_code == 302, stored.content.decode()
    assert Prompt.objects.get().messages == TALK


def test_the_api_and_the_commands_take_conversations(client, manager, tmp_path):
    _, key = issue_token(user=manager, name="t", scopes=["read", "evaluate"], days=1)
    headers = {"Authorization": f"Bearer {key}"}
    rows = [{"messages": [*TALK, ANSWER], "tools": factories.TOOLS}]
    answer = client.post(
        "/api/v1/prompt-sets/",
        {"name": "typed", "prompts": rows},
        content_type="application/json",
        headers=headers,
    )
    assert answer.status_code == 201, answer.json()
    pair = {"messages": TALK, "baseline": [ANSWER], "candidate": "No."}
    sent = {"file": factories.jsonl(pair), "name": "pairs", "baseline": "a", "candidate": "b"}
    assert client.post("/api/v1/comparisons/import/", sent, headers=headers).status_code == 201
    run = Comparison.objects.get()
    shown = client.get(f"/api/v1/comparisons/{run.pk}/pairs/{Pair.objects.get().pk}/", headers=headers).json()
    assert shown["prompt"]["messages"] == TALK and shown["prompt"]["instruction"] == ""
    factories.user("admin")
    file = tmp_path / "a.jsonl"
    file.write_bytes(factories.jsonl(*rows).read())
    call_command("import_prompts", file, "--name=command")
    call_command(
        "import_prompts", file, "--name=mapped", "--messages-column=messages", "--tools-column=tools"
    )
    file.write_bytes(factories.jsonl(pair).read())
    call_command("import_pairs", file, "--name=pairs 2", "--baseline=a", "--candidate=b")
    stored = list(Prompt.objects.values_list("messages", flat=True))
    assert stored == [TALK] * 5
    assert set(Prompt.objects.exclude(expected=None).values_list("expected", flat=True)) == {"On its way."}


# --- Files that are read back -----------------------------------------------------------------------------


def body(answer):
    return answer.getvalue() if hasattr(answer, "getvalue") else b"".join(answer.streaming_content)


MIXED: list[dict[str, Any]] = [
    {"id": "talk", "messages": factories.messages(), "tools": factories.TOOLS, "tags": {"topic": "orders"}},
    {"id": "short", "prompt": "Decide.", "input": {"n": 1}, "expected": {"ok": True}},
    {"id": "text", "prompt": "Say\n“hi”.", "expected": "Hi, you."},
]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_prompts_come_back_as_they_went(client, manager, kind):
    made = prompts.from_file(user=manager, name="first", file=factories.jsonl(*MIXED), source_name="a.jsonl")
    content = body(client.get(reverse("evaluation:prompt_texts", args=[made.pk, kind])))
    again = prompts.from_file(user=manager, name="again", file=io.BytesIO(content), source_name=f"a.{kind}")
    fields = ("key", "instruction", "input", "messages", "tools", "expected", "tags")
    assert list(again.prompts.values_list(*fields)) == list(made.prompts.values_list(*fields))
    assert client.get(reverse("evaluation:prompt_texts", args=[made.pk, "xls"])).status_code == 404


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_pairs_come_back_as_they_went(client, manager, kind):
    answers: dict[str, Any] = {"baseline": "No.", "candidate": "Yes, \n“now”."}
    answers |= {"candidate_latency_ms": 1.5, "baseline_output_tokens": 3}
    rows = [row | answers for row in MIXED]
    names: dict[str, Any] = {"baseline": "a", "candidate": "b"}
    made = pair_imports.create(
        user=manager, name="first", file=factories.jsonl(*rows), source_name="a.jsonl", **names
    )
    content = body(client.get(reverse("evaluation:pair_texts", args=[made.pk, kind])))
    again = pair_imports.create(
        user=manager, name="again", file=io.BytesIO(content), source_name=f"a.{kind}", **names
    )
    prompt = [
        f"prompt__{name}" for name in ("key", "instruction", "input", "messages", "tools", "expected", "tags")
    ]
    sides = [
        f"{side}_response__{name}"
        for side in ("baseline", "candidate")
        for name in ("text", "input_tokens", "output_tokens", "batch_latency_ms", "finish_reason", "match")
    ]
    stored = [list(run.pairs.order_by("pk").values_list(*prompt, *sides)) for run in (made, again)]
    assert stored[0] == stored[1] and len(stored[0]) == 3


def test_several_responses_to_a_prompt_are_rows_of_their_own(client, manager):
    run = factories.comparison(manager, prompts=2, samples=2)
    factories.with_turns(run.prompt_set)
    content = body(client.get(reverse("evaluation:pair_texts", args=[run.pk, "jsonl"])))
    found = list(readers.pairs(io.BytesIO(content), "a.jsonl"))
    assert sorted(item.row["id"] for item in found if item.row) == ["p0", "p0 #2", "p1", "p1 #2"]
    assert found[0].row and found[0].row["messages"] == factories.messages()


def test_the_api_sends_the_same_files_and_only_these(client, manager):
    made = prompts.from_file(user=manager, name="x", file=factories.jsonl(*MIXED), source_name="a.jsonl")
    run = factories.comparison(manager, prompts=1)
    _, key = issue_token(user=manager, name="t", scopes=["read"], days=1)
    headers = {"Authorization": f"Bearer {key}"}
    first = body(client.get(f"/api/v1/prompt-sets/{made.pk}/prompts/", headers=headers))
    assert json.loads(first.splitlines()[0])["messages"] == factories.messages()
    second = body(client.get(f"/api/v1/comparisons/{run.pk}/pairs-with-texts/?kind=csv", headers=headers))
    assert second.startswith(b"id,prompt,input,messages,tools,expected,tags,baseline,candidate,")
    for url in (f"prompt-sets/{made.pk}/prompts", f"comparisons/{run.pk}/pairs-with-texts"):
        assert client.get(f"/api/v1/{url}/?kind=xls", headers=headers).json()["code"] == "unknown_format"
