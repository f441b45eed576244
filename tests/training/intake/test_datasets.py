"""Uploading rows: what is wrong is said by line, and nothing is stored half-done."""

import io
import json
import shutil
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils.datastructures import MultiValueDict

from ftplatform.errors import DomainError
from tests import factories
from training.intake import selectors
from training.intake.forms import UploadForm
from training.intake.rows import ColumnMapping
from training.intake.services import datasets
from training.models import Dataset

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


def scratch():
    """What an upload leaves behind beside the stored datasets."""
    folder = Path(settings.ARTEFACT_DIR) / "datasets"
    return [entry.name for entry in folder.iterdir() if entry.name.startswith(".")]


def nested(levels):
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"{not json", "Not JSON"),
        (b"[1, 2]", "must be one JSON object"),
        (b'{"instruction": "x", "output": "\x81"}', "not valid UTF-8"),
        (b'{"instruction": "x", "output": "a\\u0000b"}', "NUL"),
        (b'{"instruction": "x", "output": "\\ud800"}', "surrogate"),
        (b'{"instruction": "x", "output": NaN}', "NaN is not JSON"),
        (b'{"instruction": "x"}', "lacks `output`"),
        (b'{"output": "x"}', "lacks `instruction`"),
        (b'{"instruction": " ", "output": "x"}', "not empty"),
        (b'{"instruction": "x", "output": {}}', "`output` is empty"),
        (b'{"instruction": "x", "output": 3}', "text or a JSON object"),
        (b'{"instruction": "x", "output": "y", "role": "admin"}', "Unknown field role"),
        (b'{"instruction": "x", "output": "y", "split": "dev"}', "`split` must be"),
        (b'{"instruction": "x", "output": "y", "id": true}', "`id` must be"),
        (b'{"instruction": "x", "output": "y", "id": "good"}', "already used on line 1"),
        (b'{"instruction": "x", "output": ' + nested(100_000) + b"}", "nested too deeply"),
        (b'{"instruction": "x", "output": {"n": ' + b"9" * 4301 + b"}}", "4,301 digits is too long"),
        (b'{"instruction": "x", "output": {"n": -1e400}}', "-1e400 is too large"),
        (b'{"instruction": "x", "output": "y", "\\ud800": 1}', "contains a lone surrogate"),
        (b'{"instruction": "x", "output": "y", "a\\u0000": 1}', "Unknown field 'a\\x00'"),
        (
            b'{"instruction": "x", "output": {"n": ' + nested(50) + b"}}",
            "nested too deeply; at most 50 levels",
        ),
        (
            b'{"instruction": "x", "output": {"n": ' + nested(300) + b"}}",
            "nested too deeply; at most 50 levels",
        ),
    ],
)
def test_a_bad_row_is_named_by_line_and_nothing_is_stored(bad, said):
    found = problems(factories.row(id="good"), bad, factories.row(id="also good"))
    assert list(found) == [2]
    assert said in found[2]
    found[2].encode()
    assert not Dataset.objects.exists()
    assert not scratch()


def test_numbers_and_nesting_at_the_limit_are_stored():
    row = b'{"instruction": "x", "output": {"n": [' + b"9" * 4300 + b", 1e308, " + nested(48) + b"]}}"
    assert upload(row, factories.row(id="b"), validation_share=0.5).rows == 2


def test_many_long_unknown_names_make_a_short_message():
    bad = factories.row(**{"k" * 5000 + str(number): 1 for number in range(30)})
    found = problems(factories.row(id="b"), bad)[2]
    assert len(found) < 2000
    assert "10 more" in found


def test_every_bad_row_is_reported_and_the_good_ones_counted():
    with pytest.raises(DomainError, match=r"2 of 4 rows have errors, 2 are valid\."):
        upload(factories.row(id="1"), b"{", factories.row(id="2"), b"}")


def test_a_row_over_the_limit_is_refused_without_reading_it_whole(settings):
    settings.UPLOAD_MAX_ROW_BYTES = 200
    assert "longer than 200 bytes" in problems(factories.row(output="x" * 10_000), factories.row(id="b"))[1]


def test_the_share_held_out_is_exact_and_depends_on_ids_alone():
    rows = [factories.row(id=f"r{n}", input=f"{n}?") for n in range(200)]
    forwards = upload(*rows, name="forwards")
    backwards = upload(*reversed(rows), name="backwards")
    assert (forwards.train_rows, forwards.validation_rows) == (180, 20)
    held_out = [
        {example["id"] for example in selectors.examples(made, "validation", limit=100)}
        for made in (forwards, backwards)
    ]
    assert held_out[0] == held_out[1]


def test_a_row_may_choose_its_split():
    made = upload(factories.row(id="a", split="validation"), factories.row(id="b", input="b", split="train"))
    assert [e["id"] for e in selectors.examples(made, "validation", limit=5)] == ["a"]


def test_a_file_that_fills_only_one_split_is_refused():
    with pytest.raises(DomainError, match="The validation split would be empty"):
        upload(factories.row(split="train"))


def test_an_empty_file_is_refused():
    with pytest.raises(DomainError) as caught:
        datasets.create(user=factories.user(), name="x", file=io.BytesIO(b""), source_name="x.jsonl")
    assert caught.value.code == "empty_dataset"


def test_the_same_content_is_the_same_version_and_new_content_the_next():
    rows = [factories.row(id=f"r{n}", input=f"{n}?") for n in range(10)]
    first, again = upload(*rows), upload(*rows)
    changed = upload(*rows, factories.row(id="new", input="new"))
    assert first.pk == again.pk
    assert (first.version, changed.version) == (1, 2)


def test_stored_rows_come_back_as_they_were():
    row = factories.row(id="ü", output={"text": "„Größe“ \u2028 \U0001f600"}, input="plain")
    made = upload(
        row,
        factories.row(id="b", input="b", split="validation"),
        factories.row(id="c", input="c", split="train"),
    )
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
        (CSV + b"\xff\x81,x\n", MAPPING, "invalid_rows"),
        (CSV + b'"a\nb",' + b"c," * 600_000 + b"\n", MAPPING, "invalid_rows"),
        (b"text,category,caf\x81\na,b,c\n", MAPPING, "invalid_header"),
        (b'text,category,"open\na,b,c\n', MAPPING, "invalid_header"),
        (b"text,category" + b",x" * 600_000 + b"\na,b\n", MAPPING, "invalid_header"),
    ],
)
def test_a_bad_csv_is_refused_with_its_reason(content, mapping, code):
    with pytest.raises(DomainError) as caught:
        upload_csv(content, mapping)
    assert caught.value.code == code
    if code == "invalid_rows":
        assert [item["line"] for item in caught.value.problems] == [5]
    if code == "invalid_header":
        assert caught.value.detail.startswith("Line 1, the header")


class Watched(io.BytesIO):
    """A file that remembers the largest piece anybody asked for."""

    largest = 0

    def readline(self, size=-1, /):
        self.largest = max(self.largest, len(piece := super().readline(size)))
        return piece

    def read(self, size=-1, /):
        raise AssertionError("rows are read by lines")

    read1 = read


@pytest.mark.parametrize(("source_name", "mapping"), [("a.csv", MAPPING), ("a.jsonl", None)])
def test_a_huge_line_is_refused_without_holding_it(settings, source_name, mapping):
    settings.UPLOAD_MAX_ROW_BYTES = 200
    file = Watched(b"text,category\n" + b"a," * 50_000 + b"\n")
    with pytest.raises(DomainError) as caught:
        datasets.create(user=factories.user(), name="x", file=file, source_name=source_name, mapping=mapping)
    assert "longer than 200 bytes" in caught.value.problems[-1]["message"]
    assert caught.value.problems[-1]["line"] == 2
    assert file.largest <= 201


def test_csv_lines_may_end_in_any_way():
    for end in (b"\n", b"\r\n", b"\r"):
        made = upload_csv(b"\xef\xbb\xbftext,category" + end + b"a,b" + end + b"c,d" + end)
        assert made.rows == 2


@pytest.mark.parametrize(("source_name", "mapping"), [("a.csv", MAPPING), ("a.jsonl", None)])
def test_an_upload_over_the_limit_is_refused_while_it_is_read(settings, source_name, mapping):
    content = CSV if mapping else factories.jsonl(factories.row(id="a"), factories.row(id="b")).getvalue()
    options = {"source_name": source_name, "mapping": mapping, "validation_share": 0.5}
    settings.UPLOAD_MAX_BYTES = len(content) - 1
    with pytest.raises(DomainError, match=f"larger than {len(content) - 1} bytes") as caught:
        datasets.create(user=factories.user(), name="x", file=io.BytesIO(content), **options)
    assert (caught.value.code, caught.value.status) == ("too_large", 413)
    assert not Dataset.objects.exists()
    assert not scratch()
    settings.UPLOAD_MAX_BYTES = len(content)
    assert datasets.create(user=factories.user(), name="x", file=io.BytesIO(content), **options).rows == 2


def test_the_form_says_early_that_a_file_is_too_large(settings):
    settings.UPLOAD_MAX_BYTES = 10
    values = {"name": "x"}
    for size, said in ((10, None), (11, ["The file is larger than 10 bytes. Upload fewer rows."])):
        form = UploadForm(values, MultiValueDict({"file": [SimpleUploadedFile("a.jsonl", b"x" * size)]}))
        assert form.errors.get("file") == said


def test_an_unusable_artefact_folder_is_said_in_a_sentence(settings, tmp_path):
    (tmp_path / "file").write_text("")
    settings.ARTEFACT_DIR = tmp_path / "file"
    with pytest.raises(DomainError, match="could not be stored: Not a directory") as caught:
        upload(factories.row())
    assert (caught.value.code, caught.value.status) == ("disk", 507)


@pytest.mark.parametrize("full_at", ["rows.jsonl", "train.jsonl", "validation.jsonl"])
def test_a_full_disk_stores_nothing_and_leaves_nothing(monkeypatch, full_at):
    opened = Path.open

    def open_file(path, *args, **options):
        writes = path.name == full_at and "w" in (args or ("r",))[0]
        return opened(Path("/dev/full") if writes else path, *args, **options)

    monkeypatch.setattr(Path, "open", open_file)
    with pytest.raises(DomainError, match="could not be stored: No space left on device") as caught:
        upload(*(factories.row(id=f"r{number}", input=f"{number}?") for number in range(20)))
    assert (caught.value.code, caught.value.status) == ("disk", 507)
    assert not Dataset.objects.exists()
    assert not scratch()


@pytest.mark.parametrize("lost", ["folder", "file"])
def test_rows_that_got_lost_are_said_and_come_back_with_the_same_upload(client, lost):
    owner = factories.user()
    made = factories.dataset(owner)
    if lost == "folder":
        shutil.rmtree(made.folder)
    else:
        made.split_file("train").unlink()
    with pytest.raises(DomainError, match="upload the same file") as caught:
        selectors.examples(made, "train", limit=1)
    assert (caught.value.code, caught.value.status) == ("dataset_files_missing", 409)
    client.force_login(owner)
    assert client.get(reverse("training:dataset", args=[made.pk])).status_code == 409
    assert factories.dataset(owner).pk == made.pk
    assert len(selectors.examples(made, "train", limit=100)) == made.train_rows
    assert not scratch()
