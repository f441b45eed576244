"""Files of every format: what is in them comes out row by row, and what is hostile takes neither memory nor code."""

import io
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ftplatform.errors import DomainError
from tests.services import ROOT
from training.intake.readers import Format, detect, open_source
from training.intake.readers.lines import RowError, used
from training.intake.rows import ColumnMapping, read

MAPPING = ColumnMapping("Classify.", {"query": "text"}, {"intent": "category"})


def parquet(table, **options):
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def rows(content, name="a.csv"):
    return [(line, parse()) for line, parse in open_source(io.BytesIO(content), name).rows]


def test_a_problem_names_the_column_and_not_what_it_means():
    mapping = ColumnMapping(
        instruction_column="policy", input_column="question", output_column="answer", id_column="no"
    )
    bad = b"no,policy,question,answer\n1,Be kind.,Why?,\n2,,Why?,So.\n3,Be kind.,Why?,So.\n"
    problems = [
        (row.line, row.field, row.problem) for row in read(io.BytesIO(bad), "a.csv", mapping) if row.problem
    ]
    assert problems == [
        (2, "answer", "`answer` is empty."),
        (3, "policy", "`policy` must be a text that is not empty."),
    ]


def refused(content, name="a.parquet", mapping=MAPPING):
    with pytest.raises(DomainError) as caught:
        list(read(io.BytesIO(content), name, mapping))
    return caught.value


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (b'{"a": 1}', "a.jsonl", Format.JSON_LINES),
        (b'{"a": 1}', "download", Format.JSON_LINES),
        (b"a,b\n", "download", Format.CSV),
        (b"a\tb\n", "a.tsv", Format.CSV),
        (b"PAR1....", "a.csv", Format.PARQUET),
        (b"", "a.csv", Format.CSV),
    ],
)
def test_a_file_is_known_by_what_it_begins_with_and_then_by_its_name(content, name, expected):
    assert detect(io.BytesIO(content), name) == expected


def test_a_file_named_parquet_that_is_none_is_refused_whole():
    assert refused(b"text,category\n", "a.parquet").code == "invalid_parquet"


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_cells_may_be_separated_as_spreadsheets_do(sign):
    assert rows(f'a{sign}b\n1{sign}"x{sign}y"\n'.encode()) == [(2, {"a": "1", "b": f"x{sign}y"})]


def test_two_columns_of_one_name_are_refused():
    assert refused(b"text,category,text\na,b,c\n", "a.csv").code == "invalid_header"


def test_parquet_rows_come_with_their_number_and_plain_values():
    table = pa.table(
        {
            "text": ["one", "two"],
            "output": [{"n": 1, "ok": True}, {"n": 2, "ok": None}],
            "at": pa.array([0, 1], pa.timestamp("s")),
            "tags": [["a"], []],
        }
    )
    first, second = rows(parquet(table), "a.parquet")
    at = {"at": "1970-01-01T00:00:00"}
    assert first == (1, {"text": "one", "output": {"n": 1, "ok": True}, "tags": ["a"]} | at)
    assert second[1]["output"] == {"n": 2, "ok": None}


def test_parquet_becomes_examples_by_its_mapping(tmp_path):
    file = tmp_path / "a.parquet"
    file.write_bytes(parquet(pa.table({"text": [f"q{n}" for n in range(200)], "category": ["x"] * 200})))
    with file.open("rb") as stored:
        made = list(read(stored, "a.parquet", MAPPING))
    assert [row.line for row in made] == list(range(1, 201))
    assert made[-1].example == {
        "id": "row-200",
        "instruction": "Classify.",
        "input": {"query": "q199"},
        "output": {"intent": "x"},
    }


def test_a_value_that_json_cannot_hold_is_one_cell_that_cannot_be_read():
    found = rows(parquet(pa.table({"n": [1.0, float("nan"), 2.0]})), "a.parquet")
    assert (found[0][1], found[2][1]) == ({"n": 1.0}, {"n": 2.0})
    with pytest.raises(RowError, match="cannot be written as JSON"):
        used(found[1][1]["n"], "n")


@pytest.mark.parametrize("keep", [20, 200, -10])
def test_a_damaged_parquet_file_is_refused_with_its_reason(keep):
    content = parquet(pa.table({"text": ["a"] * 1000, "category": ["b"] * 1000}))[:keep]
    assert refused(content).code == "invalid_parquet"


def test_a_type_that_could_bring_code_is_refused_unfired(tmp_path):
    """CVE-2023-47248: a type's metadata that pyarrow once unpickled."""
    fired = tmp_path / "fired"

    class Canary:
        def __reduce__(self):
            return (Path.touch, (fired,))

    field = pa.field(
        "text",
        pa.string(),
        metadata={
            b"ARROW:extension:name": b"arrow.py_extension_type",
            b"ARROW:extension:metadata": pickle.dumps(Canary(), protocol=0),
        },
    )
    table = pa.Table.from_arrays(
        [pa.array(["a"]), pa.array(["b"])], schema=pa.schema([field, pa.field("category", "string")])
    )
    content = parquet(table)
    assert b"py_extension_type" in content or b"ARROW:schema" in content
    list(read(io.BytesIO(content), "a.parquet", MAPPING))
    assert not fired.exists()
    pickle.loads(pickle.dumps(Canary(), protocol=0))  # noqa: S301
    assert fired.exists(), "the control: the canary does fire when somebody unpickles it"


def bomb(kind):
    """Files of some hundred kilobytes that unpack to gigabytes."""
    if kind == "page":
        text = "a" * (300 * 2**20)
        return parquet(
            pa.table({"text": [text] * 4, "category": ["b"] * 4}), compression="zstd", use_dictionary=False
        )
    value = pa.array(["a" * 2**24])
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), value)
    return parquet(pa.table({"text": column, "category": ["b"] * 100_000}), compression="zstd")


PEAK = """
import resource, sys
from pathlib import Path
import django
django.setup()
from ftplatform.errors import DomainError
from training.intake.rows import ColumnMapping, read
file = Path(sys.argv[1])
def peak():
    # ru_maxrss would begin with the size of the process that started this one.
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
before = peak()
try:
    with file.open("rb") as stored:
        mapping = ColumnMapping("C.", {"q": "text"}, {"i": "category"})
        problems = [row.problem for row in read(stored, "a.parquet", mapping)]
    print("rows", len(problems), set(problems))
except DomainError as error:
    print(error.code, error.status)
grown = peak() - before
print(grown // 1024, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["page", "dictionary"])
def test_a_decompression_bomb_is_refused_with_memory_flat(tmp_path, kind):
    file = tmp_path / "bomb.parquet"
    file.write_bytes(bomb(kind))
    assert file.stat().st_size < 2**20
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=environment(tmp_path),
    )
    said, memory = done.stdout.strip().splitlines()
    grown, child = map(int, memory.split())
    assert said.split()[0] in ("parquet_limits", "too_large"), done.stdout
    assert grown < 50
    assert child < 1500


def environment(folder):
    return {**os.environ, "VAR_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "ftplatform.settings"}


def test_the_bomb_bombs(tmp_path):
    """The control: without the limit, the same few bytes do unpack to more than is allowed."""
    table = pq.read_metadata(io.BytesIO(bomb("dictionary")))
    assert table.num_rows * 2**24 > 2**40


def test_the_columns_of_a_row_can_be_taken_whole_or_as_json():
    mapping = ColumnMapping(
        instruction_column="task",
        input_column="question",
        output_column="answer",
        id_column="key",
        group_column="customer",
        split_column="part",
        json_cells=True,
    )
    line = {
        "task": "Do.",
        "question": '{"q": 1}',
        "answer": '{"a": [1]}',
        "key": "k",
        "customer": "c",
        "part": "test",
    }
    content = (
        "\t".join(line)
        + "\n"
        + "\t".join(f'"{v}"'.replace('{"', '{""').replace('":', '"":') for v in line.values())
    )
    (row,) = read(io.BytesIO((content + "\n").encode()), "a.tsv", mapping)
    assert row.example == {
        "id": "k",
        "instruction": "Do.",
        "input": {"q": 1},
        "output": {"a": [1]},
        "group": "c",
    }
    assert (row.split, row.group) == ("test", "c")


def test_a_cell_that_should_hold_json_and_does_not_is_named_by_its_column():
    mapping = ColumnMapping("Do.", {}, {}, output_column="answer", json_cells=True)
    (row,) = read(io.BytesIO(b"answer\n{oops\n"), "a.csv", mapping)
    assert (row.line, row.field) == (2, "answer")
    assert "Not JSON" in row.problem


@pytest.mark.parametrize(
    ("mapping", "fields"),
    [
        (ColumnMapping(), ["instruction", "outputs"]),
        (ColumnMapping("", {"a": "b"}, {"a": "b"}), ["instruction"]),
        (ColumnMapping(messages_column="m", input_column="b"), ["inputs"]),
        (ColumnMapping(messages_column="m", outputs={"a": "b"}), ["outputs"]),
        (ColumnMapping("x", instruction_column="y", outputs={"a": "b"}), ["instruction"]),
        (ColumnMapping("x", {"a": "b"}, {"a": "b"}, input_column="c"), ["inputs"]),
        (ColumnMapping("x", {}, {"a\x00": "b"}), ["mapping"]),
    ],
)
def test_an_incomplete_mapping_says_what_it_lacks(mapping, fields):
    error = refused(b"a,b\n1,2\n", "a.csv", mapping)
    assert error.code == "invalid_mapping"
    assert [problem["field"] for problem in error.problems] == fields


def test_a_csv_that_has_the_fields_of_an_example_needs_no_mapping():
    content = b"id,instruction,input,output,split\n1,Do.,x,y,test\n"
    (row,) = read(io.BytesIO(content), "a.csv", None)
    assert row.example == {"id": "1", "instruction": "Do.", "input": "x", "output": "y"}
    assert row.split == "test"
    assert json.dumps(row.example)
