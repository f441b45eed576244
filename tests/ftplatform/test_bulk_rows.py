"""Many rows in one statement: the same rows that objects would have made, in order, held to the same constraints."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from evaluation.models import Prompt
from ftplatform import bulk_rows
from tests import factories

pytestmark = pytest.mark.django_db

COLUMNS = ("key", "instruction", "input", "expected", "tags")


def insert(prompt_set, rows):
    return bulk_rows.insert(
        Prompt, {"prompt_set_id": prompt_set.pk, "messages": [], "tools": []}, COLUMNS, rows
    )


def test_rows_are_those_that_objects_would_have_made_and_keys_come_in_their_order(monkeypatch):
    monkeypatch.setattr(bulk_rows, "_MOST_PARAMETERS", 20)
    prompt_set = factories.prompt_set(factories.user())
    rows: list[tuple[Any, ...]] = [
        (f"k{n}", "Say “é”.", {"n": [n, None, True]}, {"a": 1} if n % 2 else None, {}) for n in range(11)
    ]
    keys = insert(prompt_set, rows)
    stored = [Prompt.objects.get(pk=key) for key in keys]
    assert [(p.key, p.instruction, p.input, p.expected, p.tags) for p in stored] == rows
    assert Prompt.objects.filter(pk__in=keys, expected__isnull=True).count() == 6


def test_what_the_database_refuses_is_refused():
    prompt_set = factories.prompt_set(factories.user())
    count = prompt_set.prompts.count()
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(prompt_set, [("twice", "a", "b", None, {})] * 2)
    assert prompt_set.prompts.count() == count


def test_no_rows_are_no_statement(django_assert_num_queries):
    prompt_set = factories.prompt_set(factories.user())
    with django_assert_num_queries(0):
        assert insert(prompt_set, []) == []
