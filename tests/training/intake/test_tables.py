"""CSV as spreadsheets and pandas write it, lists of JSON, and text that would change: read, or refused by line."""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ftplatform.errors import DomainError
from training.intake.readers import Format, detect, open_source
from training.intake.rows import ColumnMapping, Rows

LABELS = ColumnMapping("Name it.", {"query": "text"}, {"label": "label"})


def cells(content, name="a.csv"):
    source = open_source(io.BytesIO(content), name)
    rows = [(line, parse()) for line, parse in source.rows]
    return rows, source.facts


def problems(content, name, mapping=None):
    found = Rows(io.BytesIO(content), name, mapping).read()
    return [(row.line, row.field, row.problem) for row in found if row.problem]


@pytest.mark.parametrize(
    ("content", "separator"),
    [
        (b"text,label\na b,red\n", "comma"),
        (b"text;label\na b;red\n", "semicolon"),
        (b"text\tlabel\na b\tred\n", "tab"),
        (b"text|label\na b|red\n", "bar"),
        (b"sep=;\r\ntext;label\r\na b;red\r\n", "semicolon"),
        (b'"sep=,"\ntext,label\na b,red\n', "comma"),
        (b"\xef\xbb\xbf text , label \na b,red\n", "comma"),
        (b"\n\ntext,label\na b,red\n", "comma"),
    ],
)
def test_the_separator_and_the_names_are_recognised(content, separator):
    rows, facts = cells(content)
    assert [row for _, row in rows] == [{"text": "a b", "label": "red"}]
    assert facts.separator == separator


def test_a_half_quoted_declaration_is_an_error_of_the_header():
    with pytest.raises(DomainError) as caught:
        open_source(io.BytesIO(b'"sep=,\ntext,label\n'), "a.csv")
    assert caught.value.code == "invalid_header"


def test_a_comma_in_a_quoted_name_is_no_separator():
    rows, _ = cells(b'"text, long";label\n' + b"a, b, c;red\n" * 3)
    assert rows[0] == (2, {"text, long": "a, b, c", "label": "red"})


def test_blank_lines_are_skipped_and_counted():
    rows, facts = cells(b"text,label\na,red\n\n,\n  , \nb,blue\n\n\n")
    assert [line for line, _ in rows] == [2, 6]
    assert facts.blank_lines == 5


@pytest.mark.parametrize(
    ("content", "skipped"),
    [
        (b"text,label,\na,red,\nb,blue,\n", ["column 3 (empty)"]),
        (b"text,label\na,red,\nb,blue,,\n", []),
        (b",text,label\n0,a,red\n1,b,blue\n", ["column 1 (row numbers)"]),
        (b"Unnamed: 0,text,label\n0,a,red\n1,b,blue\n", ["column 1 (row numbers)"]),
        (
            b",text,label,,\n0,a,red,,\n1,b,blue,,\n,,,,\n",
            ["column 1 (row numbers)", "column 4 (empty)", "column 5 (empty)"],
        ),
    ],
)
def test_columns_that_hold_nothing_are_left_out_and_named(content, skipped):
    rows, facts = cells(content)
    assert [row for _, row in rows] == [{"text": "a", "label": "red"}, {"text": "b", "label": "blue"}]
    assert facts.skipped_columns == skipped


def test_damaged_bytes_in_a_column_that_is_left_out_do_no_harm():
    content = b",text,,label,\n" + b"0,a,,red,\n" * 30 + b"\x81\xc3\xa9,b,\x81,blue,\n"
    rows, _ = cells(content.replace(b"\n0,", b"\n,"))
    assert rows[-1][1] == {"text": "b", "label": "blue"}


def test_a_column_without_a_name_that_holds_something_can_be_mapped():
    rows, _ = cells(b"text,\na,red\nb,blue\n")
    assert rows[0][1] == {"text": "a", "column 2": "red"}


def test_an_empty_label_is_an_error_of_its_line_and_words_like_NA_are_texts():
    content = b"text,label\na,NA\nb,null\nc,\nd,001\n"
    assert problems(content, "a.csv", LABELS) == [(4, "label", "`label` is empty.")]
    several = ColumnMapping("Name it.", {"q": "text"}, {"label": "label", "copy": "text"})
    assert problems(content, "a.csv", several) == []


def test_twenty_thousand_columns_are_read_in_linear_time():
    names = [f"c{number}" for number in range(20_000)]
    content = (",".join(names) + "\n" + ",".join("x" for _ in names) + "\n").encode()
    (row,) = Rows(io.BytesIO(content), "a.csv", ColumnMapping("x", {}, {"a": "c7"})).read()
    assert row.example and row.example["output"] == {"a": "x"}


# --- JSON -------------------------------------------------------------------------------------------------

ROW = {"instruction": "Say it.", "input": 'a [ " { ]', "output": {"x": [1, {"y": "}"}]}}


@pytest.mark.parametrize("before", ["", "\n  ", "\ufeff", "\ufeff\n\n"])
@pytest.mark.parametrize("indent", [None, 1])
def test_one_list_of_objects_is_read_item_by_item(before, indent):
    content = (before + json.dumps([ROW] * 40, indent=indent) + "\n").encode()
    found = list(Rows(io.BytesIO(content), "a.json", None).read())
    assert [row.line for row in found] == list(range(1, 41))
    assert found[39].example == {"id": "row-40", **ROW}


def test_a_list_larger_than_its_pieces_is_read_whole():
    rows = [{**ROW, "input": "ü" * (7 * number)} for number in range(400)]
    found = list(Rows(io.BytesIO(json.dumps(rows, ensure_ascii=False).encode()), "a.json", None).read())
    assert [row.example["input"] for row in found if row.example] == [row["input"] for row in rows]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'[{"instruction": "a", "output": "b"}', (2, "no end")),
        (b'[{"instruction": "a", "output": "b"}, {"instruction"', (2, "Not JSON")),
        (b'[{"instruction": "a", "output": "b"} {"a": 1}]', (2, "comma is missing")),
        (b'[{"instruction": "a", "output": "b"}, 7]', (2, "must be one JSON object")),
        (b'[{"instruction": "a", "output": "b"}] {"a": 1}', (2, "follows the end")),
        (b'[{"instruction": "a", "output": "b"}, {"output": NaN}]', (2, "NaN is not JSON")),
        (b'[{"instruction": "a", "output": "b"}, ' + b"[" * 100_000, (2, "nested too deeply")),
        (b'[{"instruction": "a", "output": "b"}, {"a": "\xff\xc3\xa9"}]', (2, "UTF-8")),
    ],
)
def test_a_broken_list_is_refused_where_it_breaks(content, expected):
    ((line, _, said),) = problems(content, "a.json")
    assert line == expected[0] and expected[1] in said


def test_an_item_longer_than_a_row_may_be_is_refused(settings):
    settings.UPLOAD_MAX_ROW_BYTES = 200_000
    content = json.dumps([ROW, {**ROW, "input": "x" * 300_000}, ROW]).encode()
    ((line, _, said),) = problems(content, "a.json")
    assert line == 2 and "longer than 200,000 bytes" in said


def test_one_object_over_several_lines_is_one_message():
    with pytest.raises(DomainError) as caught:
        detect(io.BytesIO(b'{\n "instruction": "a"\n}\n'), "a.json")
    assert caught.value.code == "json_object"


@pytest.mark.parametrize(("content", "name"), [(b'{"a": 1}\n', "a.csv"), (b'{"a": 1}\n', "a.txt")])
def test_json_is_known_by_its_content(content, name):
    assert detect(io.BytesIO(content), name) == Format.JSON_LINES


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('"x", "output": "y"', "output appears twice"),
        ('{"a": 1, "a": 1}', "a appears twice"),
        ("12345678901234567890.25", "would lose digits"),
        ("0.12345678901234567890123", "would lose digits"),
        ("9007199254740993.0", "would lose digits"),
        ("1e-400", "would lose digits"),
        ("1e400", "too large"),
        ("-Infinity", "not JSON"),
    ],
)
def test_what_another_reader_would_change_is_refused(value, said):
    content = (
        b'{"instruction": "x", "output": {"n": %s}}\n'
        if not value.startswith('"')
        else b'{"instruction": "x", "output": %s}\n'
    )
    ((line, _, problem),) = problems(content % value.encode(), "a.jsonl")
    assert line == 1 and said in problem


@pytest.mark.parametrize(
    "number", ["0.1", "1.50", "0.30000000000000004", "0.10000000000000001", "1E5", "1e-300", "5e-324", "-0.0"]
)
def test_numbers_that_survive_are_kept(number):
    content = b'{"instruction": "x", "output": {"n": %s}}\n' % number.encode()
    assert problems(content, "a.jsonl") == []


def test_blank_lines_and_byte_order_marks_inside_a_file():
    row = json.dumps(ROW).encode() + b"\n"
    content = b"\xef\xbb\xbf" + row + b"\n" + row + b"\xef\xbb\xbf" + row + b"\n\n"
    ((line, _, said),) = problems(content, "a.jsonl")
    assert line == 4 and "byte order mark" in said


# --- Parquet ----------------------------------------------------------------------------------------------


def parquet(**columns):
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def test_columns_that_are_not_mapped_never_fail():
    content = parquet(
        text=["a", "b"],
        label=["red", "blue"],
        image=[{"bytes": b"\x89PNG", "path": None}] * 2,
        score=[1.0, float("nan")],
        meta=pa.array([[("k", "v")]] * 2, pa.map_(pa.string(), pa.string())),
    )
    found = list(Rows(io.BytesIO(content), "a.parquet", LABELS).read())
    assert [row.example["output"] for row in found if row.example] == [{"label": "red"}, {"label": "blue"}]
    for column, said in (("image", "not UTF-8"), ("meta", "map<string"), ("score", "cannot be written")):
        mapping = ColumnMapping("Name it.", {"query": column}, {"label": "label"})
        bad = problems(content, "a.parquet", mapping)
        assert bad and bad[-1][1] == column and said in bad[-1][2]


def test_chats_in_a_column_of_parquet():
    turns = [
        {"role": "user", "content": "a", "name": None},
        {"role": "assistant", "content": "b", "name": None},
    ]
    (row,) = Rows(io.BytesIO(parquet(messages=[turns], source=["web"])), "a.parquet", None).read()
    assert row.example == {"id": "row-1", "messages": [{"role": "user", "content": "a"}], "output": "b"}
