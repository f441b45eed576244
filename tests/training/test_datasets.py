"""Uploading rows: what is wrong is said by line, and nothing is stored half-done."""

import io
import json
from pathlib import Path

import pytest
from django.conf import settings

from ftplatform.errors import DomainError
from tests import factories
from training import selectors
from training.models import Dataset
from training.services import datasets
from training.services.rows import ColumnMapping

pytestmark = pytest.mark.django_db


def upload(*rows, name="cases", **options):
    return datasets.create(
        user=factories.user(), name=name, file=factories.jsonl(*rows), source_name="cases.jsonl", **options
    )


def problems(*rows):
    with pytest.raises(DomainError) as caught:
        upload(*rows)
    assert caught.value.code == "invalid_rows"
    return {item["line"]: item["message"] for item in caught.value.problems}


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"{not json", "Not JSON"),
        (b"[1, 2]", "must be a JSON object"),
        (b"", "empty"),
        (b"   ", "empty"),
        (b'{"instruction": "x", "output": "\xff"}', "not valid UTF-8"),
        (b'{"instruction": "x", "output": "a\\u0000b"}', "NUL"),
        (b'{"instruction": "x", "output": "\\ud800"}', "surrogate"),
        (b'{"instruction": "x", "output": NaN}', "NaN is not JSON"),
        (b'{"instruction": "x"}', "lacks `output`"),
        (b'{"output": "x"}', "lacks `instruction`"),
        (b'{"instruction": " ", "output": "x"}', "not empty"),
        (b'{"instruction": "x", "output": {}}', "`output` is empty"),
        (b'{"instruction": "x", "output": 3}', "text or a JSON object"),
        (b'{"instruction": "x", "output": "y", "role": "admin"}', "Unknown field role"),
        (b'{"instruction": "x", "output": "y", "split": "test"}', "`split` must be"),
        (b'{"instruction": "x", "output": "y", "id": true}', "`id` must be"),
        (b'{"instruction": "x", "output": "y", "id": "good"}', "already used on line 1"),
        (b'{"instruction": "x", "output": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
)
def test_a_bad_row_is_named_by_line_and_nothing_is_stored(bad, said):
    found = problems(factories.row(id="good"), bad, factories.row(id="also good"))
    assert list(found) == [2]
    assert said in found[2]
    assert not Dataset.objects.exists()
    assert not [
        entry for entry in (Path(settings.ARTEFACT_DIR) / "datasets").iterdir() if entry.name.startswith(".")
    ]


def test_every_bad_row_is_reported_and_the_good_ones_counted():
    with pytest.raises(
        DomainError, match="2 of 4 rows cannot be used and nothing was stored; 2 rows are good"
    ):
        upload(factories.row(id="1"), b"{", factories.row(id="2"), b"}")


def test_a_row_over_the_limit_is_refused_without_reading_it_whole(settings):
    settings.UPLOAD_MAX_ROW_BYTES = 200
    assert "longer than 200 bytes" in problems(factories.row(output="x" * 10_000), factories.row(id="b"))[1]


def test_the_share_held_out_is_exact_and_depends_on_ids_alone():
    rows = [factories.row(id=f"r{n}") for n in range(200)]
    forwards = upload(*rows, name="forwards")
    backwards = upload(*reversed(rows), name="backwards")
    assert (forwards.train_rows, forwards.validation_rows) == (180, 20)
    held_out = [
        {example["id"] for example in selectors.examples(made, "validation", limit=100)}
        for made in (forwards, backwards)
    ]
    assert held_out[0] == held_out[1]


def test_a_row_may_choose_its_split():
    made = upload(factories.row(id="a", split="validation"), factories.row(id="b", split="train"))
    assert [e["id"] for e in selectors.examples(made, "validation", limit=5)] == ["a"]


def test_a_file_that_fills_only_one_split_is_refused():
    with pytest.raises(DomainError, match="fall outside the validation split"):
        upload(factories.row(split="train"))


def test_an_empty_file_is_refused():
    with pytest.raises(DomainError) as caught:
        datasets.create(user=factories.user(), name="x", file=io.BytesIO(b""), source_name="x.jsonl")
    assert caught.value.code == "empty_dataset"


def test_the_same_content_is_the_same_version_and_new_content_the_next():
    rows = [factories.row(id=f"r{n}") for n in range(10)]
    first, again = upload(*rows), upload(*rows)
    changed = upload(*rows, factories.row(id="new"))
    assert first.pk == again.pk
    assert (first.version, changed.version) == (1, 2)


def test_stored_rows_come_back_as_they_were():
    row = factories.row(id="ü", output={"text": "„Größe“ \u2028 \U0001f600"}, input="plain")
    made = upload(row, factories.row(id="b", split="validation"), factories.row(id="c", split="train"))
    kept = [
        json.loads(line)
        for split in ("train", "validation")
        for line in made.split_file(split).read_text().split("\n")
        if line
    ]
    assert row in kept


CSV = b'text,category\n"I lost\nmy card",lost_card\nwhere is it?,card_arrival\n'
MAPPING = ColumnMapping("Classify.", {"query": "text"}, {"intent": "category"})


def upload_csv(content, mapping=MAPPING):
    return datasets.create(
        user=factories.user(),
        name="csv",
        file=io.BytesIO(content),
        source_name="a.CSV",
        mapping=mapping,
        validation_share=0.5,
    )


def test_a_csv_is_mapped_and_quoted_newlines_survive():
    made = upload_csv(CSV)
    examples = [e for split in ("train", "validation") for e in selectors.examples(made, split, limit=5)]
    assert {
        "id": "row-2",
        "instruction": "Classify.",
        "input": {"query": "I lost\nmy card"},
        "output": {"intent": "lost_card"},
    } in examples


@pytest.mark.parametrize(
    ("content", "mapping", "code"),
    [
        (CSV, None, "mapping_needed"),
        (b"text,label\na,b\n", MAPPING, "missing_columns"),
        (CSV + b"one cell\n", MAPPING, "invalid_rows"),
        (CSV + b'"open quote,x\n', MAPPING, "invalid_rows"),
        (CSV + b"\xff\xfe,x\n", MAPPING, "invalid_rows"),
    ],
)
def test_a_bad_csv_is_refused_with_its_reason(content, mapping, code):
    with pytest.raises(DomainError) as caught:
        upload_csv(content, mapping)
    assert caught.value.code == code
    if code == "invalid_rows":
        assert [item["line"] for item in caught.value.problems] == [5]
