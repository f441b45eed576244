"""Files of prompts and pairs with other columns: mapped with a preview, or refused in one message."""

import io
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse

from evaluation.comparison import readers
from evaluation.comparison.services import leakage, prompts
from evaluation.models import Comparison, Prompt, PromptSet
from ftplatform.accounts.services import issue_token
from ftplatform.errors import DomainError
from tests import factories
from training.intake.services import datasets
from training.models import SavedMapping

pytestmark = pytest.mark.django_db

PAIRS = b"nr,question,A,B,topic\n" + b"".join(b"%d,Q%d,a,b,x\n" % (n, n) for n in range(4))
NAMES = {"name": "two", "baseline": "one", "candidate": "other"}


@pytest.fixture
def manager(client):
    user = factories.user("manager")
    client.force_login(user)
    return user


def rows(content, columns=readers.NO_COLUMNS, name="a.csv"):
    return list(readers.pairs(io.BytesIO(content), name, columns))


def refused(content, name="a.csv", read=readers.pairs):
    with pytest.raises(DomainError) as caught:
        list(read(io.BytesIO(content), name))
    return caught.value


def prompt_rows(*cells, name="a.jsonl"):
    return list(readers.prompts(factories.jsonl(*cells), name, None))


@pytest.mark.parametrize(
    "content",
    [
        b"prompt,baseline,candidate\nQ1,a,b\nQ2,c,d\n\n",
        b"prompt,baseline,candidate,\nQ1,a,b,\nQ2,c,d,\n,,,\n",
        b",prompt,baseline,candidate\n0,Q1,a,b\n1,Q2,c,d\n",
        b"sep=;\nprompt; baseline ;candidate\nQ1;a;b\nQ2;c;d\n",
    ],
)
def test_what_spreadsheets_add_is_passed_over(content):
    texts = [(row.row["instruction"], row.row["baseline"]["text"]) for row in rows(content)]
    assert texts == [("Q1", "a"), ("Q2", "c")]


def test_an_unknown_column_is_one_message_and_can_be_ignored():
    content = b"prompt,baseline,candidate,topic\n" + b"Q,a,b,x\n" * 3
    error = refused(content)
    assert error.code == "unknown_columns" and "topic" in error.detail
    found = rows(content, readers.Columns(ignore_others=True))
    assert len(found) == 3 and found[0].row["candidate"]["text"] == "b"


def test_columns_are_mapped_by_field():
    names = {"prompt": "question", "baseline": "A", "candidate": "B"}
    found = rows(PAIRS, readers.Columns(names, ignore_others=True))
    assert found[0].row["instruction"] == "Q0" and found[0].row["candidate"]["text"] == "b"
    with pytest.raises(DomainError, match="lacks the column C") as caught:
        rows(PAIRS, readers.Columns({**names, "candidate": "C"}))
    assert caught.value.code == "missing_columns"
    with pytest.raises(DomainError, match="no field colour"):
        rows(PAIRS, readers.Columns({"colour": "A"}))


def test_preferences_name_the_mapping_that_compares_them():
    turn = {"role": "assistant", "content": "On its way."}
    row = {
        "prompt": [{"role": "user", "content": "Where?"}],
        "chosen": [turn],
        "rejected": [{**turn, "content": "No."}],
    }
    content = json.dumps(row).encode()
    error = refused(content, "a.jsonl")
    assert error.code == "preference_data" and "map `rejected` as the baseline" in error.detail
    (found,) = rows(content, readers.Columns({"baseline": "rejected", "candidate": "chosen"}), "a.jsonl")
    assert (found.row["instruction"], found.row["input"]) == ("Where?", "")
    assert (found.row["baseline"]["text"], found.row["candidate"]["text"]) == ("No.", "On its way.")


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("content_filter", "filter"),
        ("eos", "stop"),
        ("max_tokens", "length"),
        ("tool_calls", "unknown"),
        ("STOP", "stop"),
    ],
)
def test_reasons_of_other_servers_are_translated_or_unknown(given, stored):
    content = b"prompt,baseline,candidate,baseline_finish_reason\nP,a,b,%s\n" % given.encode()
    assert rows(content)[0].row["baseline"]["finish_reason"] == stored


def test_chats_with_one_question_are_prompts():
    system, user = {"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}
    answer = {"role": "assistant", "content": "Ho"}
    first, second = prompt_rows({"messages": [system, user]}, {"messages": [user, answer]})
    assert (first.row["instruction"], first.row["input"], first.row["expected"]) == ("Be kind.", "Hi", None)
    assert (second.row["instruction"], second.row["input"], second.row["expected"]) == ("Hi", "", "Ho")


@pytest.mark.parametrize(
    "text", ["[INST] Say it.", '[{"role": "king"}', '[{"from": "A", "to": "B"}]', "[1] Why?"]
)
def test_a_text_that_begins_with_a_bracket_stays_text(text):
    (row,) = prompt_rows({"prompt": text, "expected": text})
    assert (row.row["instruction"], row.row["expected"]) == (text, text)
    (pair,) = rows(json.dumps({"prompt": "P", "baseline": text, "candidate": "b"}).encode(), name="a.jsonl")
    assert pair.row["baseline"]["text"] == text


def test_a_chat_that_is_broken_is_named():
    turn = {"role": "user", "content": "Hi"}
    first, second = prompt_rows({"messages": [turn, 7]}, {"messages": [turn], "input": "x"})
    assert (first.field, second.field) == ("messages[1]", "input")


def conversation_dataset(owner):
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"Where is parcel {n}?"},
                {"role": "assistant", "content": "a"},
            ]
        }
        for n in range(20)
    ]
    return datasets.create(user=owner, name="chats", file=factories.jsonl(*rows), source_name="a.jsonl")


def test_held_out_chats_of_one_question_become_prompts(manager):
    made = conversation_dataset(manager)
    prompt_set = prompts.from_dataset(user=manager, name="held out", dataset=made)
    assert Prompt.objects.filter(prompt_set=prompt_set, input="").count() == made.validation_rows


def test_a_prompt_that_a_chat_trains_on_is_found(manager):
    made = conversation_dataset(manager)
    asked = [{"id": "x", "instruction": f"where is  parcel {n}?", "input": ""} for n in range(20)]
    finding = leakage.find(asked, made)
    assert finding.exact == made.train_rows


# --- Pages, API and commands ------------------------------------------------------------------------------


def staged(client, page, content, **values):
    body = {"file": SimpleUploadedFile("a.csv", content), "map": "1", **values}
    answer = client.post(page, body)
    assert answer.status_code == 302, answer.content.decode()
    return answer.url


def test_pairs_are_mapped_previewed_saved_and_stored(client, manager):
    url = staged(client, reverse("evaluation:pairs_import"), PAIRS, name="two")
    page = client.get(url)
    assert page.context["columns"]["role_1"].value() == "prompt"
    assert "`baseline` must be the text" in page.content.decode()
    roles = {"role_1": "prompt", "role_2": "baseline", "role_3": "candidate"}
    shown = client.post(url, {**roles, "preview": "1"})
    assert shown.context["preview"].rows[0]["candidate"]["text"] == "b" and "Q0" in shown.content.decode()
    assert client.post(url, {**roles, "save": "1", "save_as": "ours"}).status_code == 200
    assert SavedMapping.objects.get().mapping["names"] == {
        "prompt": "question",
        "baseline": "A",
        "candidate": "B",
    }
    again = client.get(
        staged(client, reverse("evaluation:pairs_import"), PAIRS, name="two") + "?mapping=ours"
    )
    assert [again.context["columns"][f"role_{n}"].value() for n in range(5)] == [
        "",
        "prompt",
        "baseline",
        "candidate",
        "",
    ]
    assert client.post(url, {**roles, "store": "1", "name": "two"}).status_code == 400
    twice = client.post(url, {**roles, "role_4": "candidate", "store": "1", **NAMES})
    assert "role_4" in twice.context["columns"].errors
    stored = client.post(url, {**roles, "store": "1", **NAMES})
    assert stored.url == reverse("evaluation:comparison", args=[Comparison.objects.get().pk])
    assert Prompt.objects.count() == 4


def test_prompts_are_mapped_with_their_objects_and_tags(client, manager):
    content = "Frage;input.stadt;tag.lang;Notiz\nWo?;Köln;de;x\n".encode("cp1252")
    url = staged(client, reverse("evaluation:prompt_set_new") + "?from=file", content, name="set")
    page = client.get(url)
    assert "Converted from CP1252" in page.content.decode()
    roles = {"role_0": "prompt", "role_1": "as_named", "role_2": "as_named"}
    stored = client.post(url, {**roles, "store": "1", "name": "set"})
    assert stored.status_code == 302, stored.content.decode()
    prompt = Prompt.objects.get()
    assert (prompt.instruction, prompt.input, prompt.tags["lang"]) == ("Wo?", {"stadt": "Köln"}, "de")


def test_a_mapped_file_is_its_owner_s(client, manager):
    url = staged(client, reverse("evaluation:pairs_import"), PAIRS, name="two")
    client.force_login(factories.user("manager"))
    assert client.get(url).status_code == 404


def test_the_api_and_the_commands_take_a_mapping(client, manager, tmp_path):
    _, key = issue_token(user=manager, name="t", scopes=["read", "evaluate"], days=1)
    headers = {"Authorization": f"Bearer {key}"}
    columns = {"prompt": "question", "baseline": "A", "candidate": "B"}

    def send(**more):
        body = {"file": SimpleUploadedFile("a.csv", PAIRS), **NAMES, **more}
        return client.post("/api/v1/comparisons/import/", body, headers=headers)

    assert send().json()["code"] == "unknown_columns"
    assert send(columns="[1]").status_code == 400
    assert send(columns=json.dumps(columns), ignore_other_columns=True).status_code == 201
    factories.user("admin")
    file = tmp_path / "a.csv"
    file.write_bytes(PAIRS)
    mapped = [f"--map={field}={column}" for field, column in columns.items()]
    call_command(
        "import_pairs", file, "--name=c", "--baseline=x", "--candidate=y", *mapped, "--ignore-other-columns"
    )
    call_command("import_prompts", file, "--name=p", "--map", "prompt=question", "--ignore-other-columns")
    assert PromptSet.objects.get(name="p").size == 4
    with pytest.raises(CommandError, match="FIELD=COLUMN"):
        call_command("import_prompts", file, "--name=q", "--map", "prompt")
