"""Making prompt sets: a refusal names its true cause, and nothing is stored half-done."""

import io
import json

import pytest
from django.db import IntegrityError
from django.urls import reverse

from evaluation.comparison.services import prompts
from evaluation.models import Prompt, PromptSet
from ftplatform.errors import DomainError
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def artefacts(settings, tmp_path):
    """Files of its own, for these tests spoil some."""
    settings.ARTEFACT_DIR = tmp_path


def from_file(content, **options):
    return prompts.from_file(
        user=factories.user(), name="held out", file=content, source_name="a.jsonl", mapping=None, **options
    )


def test_a_name_that_is_taken_is_said():
    owner = factories.user()
    dataset = factories.dataset(owner)
    prompts.from_dataset(user=owner, name="held out", dataset=dataset)
    with pytest.raises(DomainError, match="already called held out") as caught:
        prompts.from_dataset(user=owner, name="held out", dataset=dataset)
    assert caught.value.code == "name_taken"
    assert PromptSet.objects.count() == 1


def test_another_fault_of_the_database_is_no_name_clash():
    owner = factories.user()
    dataset = factories.dataset(owner)
    with dataset.split_file("validation").open("r+b") as rows:
        again = rows.readline()
        rows.seek(0, io.SEEK_END)
        rows.write(again)
    with pytest.raises(IntegrityError):
        prompts.from_dataset(user=owner, name="held out", dataset=dataset)
    assert not PromptSet.objects.exists()
    assert not Prompt.objects.exists()


def test_a_dataset_whose_rows_are_gone_is_said():
    owner = factories.user()
    dataset = factories.dataset(owner)
    dataset.split_file("validation").unlink()
    with pytest.raises(DomainError) as caught:
        prompts.from_dataset(user=owner, name="held out", dataset=dataset)
    assert caught.value.code == "dataset_files_missing"


def test_a_number_that_json_cannot_hold_is_a_bad_row():
    with pytest.raises(DomainError) as caught:
        from_file(io.BytesIO(b'{"instruction": "x", "output": {"n": 1e400}}\n'))
    assert [item["line"] for item in caught.value.problems] == [1]
    assert not PromptSet.objects.exists()


def test_the_size_of_a_file_is_bounded(settings):
    settings.UPLOAD_MAX_BYTES = 150
    with pytest.raises(DomainError) as caught:
        from_file(factories.jsonl(factories.row(id="a"), factories.row(id="b")))
    assert (caught.value.code, caught.value.status) == ("too_large", 413)
    assert from_file(factories.jsonl(factories.row(id="a"), factories.row(id="b")), limit=1).size == 1


def test_field_rules_are_changed_on_the_page(client):
    owner = factories.user("manager")
    client.force_login(owner)
    made = prompts.typed(
        user=owner, name="typed", rows=[{"prompt": "Hi", "expected": {"a.b": 1, "a": {"b": 2}}}]
    )
    assert set(made.field_rules) == {r"a\.b", "a.b"}
    url = reverse("evaluation:prompt_set", args=[made.pk])
    rules = {r"a\.b": {"kind": "ignored"}, "a.b": {"kind": "number", "tolerance": 1}}
    assert client.post(url, {"field_rules": json.dumps(rules)}).status_code == 302
    made.refresh_from_db()
    assert made.field_rules == rules
    for wrong in ("{", "[]", '{"a": {"kind": "odd"}}', "null"):
        page = client.post(url, {"field_rules": wrong})
        assert page.status_code == 400 and page.context["form"].errors.keys() == {"field_rules"}
    made.refresh_from_db()
    assert made.field_rules == rules
