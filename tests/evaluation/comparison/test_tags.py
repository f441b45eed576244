"""Tags: which fields are taken by themselves, which are chosen, and what a length band is."""

import pytest

from evaluation.comparison.services import prompts, tags
from evaluation.models import Prompt
from ftplatform.errors import DomainError
from tests import factories


def row(**content):
    return {"instruction": "Decide.", "input": content}


ROWS = [
    row(issue="refund" if n % 2 else "return", order=f"A{n}", tier={"name": "gold"}, vip=n % 3 == 0)
    for n in range(12)
]


def test_fields_with_few_values_are_taken_by_themselves():
    assert tags.suggested(ROWS) == ["issue", "vip"]
    assert tags.of_rows(ROWS, None)[1] == {"length": "up to 20 words", "issue": "refund", "vip": "no"}


def test_chosen_fields_are_taken_as_they_are():
    assert tags.of_rows(ROWS, ["order", "tier.name"])[2] == {
        "length": "up to 20 words",
        "order": "A2",
        "tier.name": "gold",
    }


def test_a_field_that_no_row_has_is_named():
    with pytest.raises(DomainError, match="has the field isue; the inputs have issue, order") as caught:
        tags.of_rows(ROWS, ["isue"])
    assert caught.value.code == "unknown_tag_field"


def test_long_values_and_lists_are_no_tags():
    assert tags.of_rows([row(text="x" * 61, items=["a"])], ["text", "items"]) == [
        {"length": "up to 20 words"}
    ]


@pytest.mark.parametrize(
    ("words", "band"), [(20, "up to 20 words"), (21, "21 to 100 words"), (501, "more than 500 words")]
)
def test_length_bands(words, band):
    assert tags.length_band("word " * words) == band
    assert tags.length_band({"a": {"b": "word " * words}}) == band


@pytest.mark.django_db
def test_a_prompt_set_keeps_the_tags_of_its_prompts(settings, tmp_path):
    settings.ARTEFACT_DIR = tmp_path
    owner = factories.user()
    content = factories.jsonl(
        *(factories.row(id=f"r{n}", input={"lang": ["en", "de"][n % 2]}) for n in range(10))
    )
    made = prompts.from_file(
        user=owner, name="file", file=content, source_name="a.jsonl", mapping=None, tag_fields=["lang"]
    )
    assert list(Prompt.objects.filter(prompt_set=made).values_list("tags", flat=True)[:2]) == [
        {"length": "up to 20 words", "lang": "en"},
        {"length": "up to 20 words", "lang": "de"},
    ]
