"""Packed files and other encodings are read as if they were plain, and never more of them than fits."""

import gzip
import io
import zipfile

import pytest

from ftplatform.errors import DomainError
from training.intake.readers import open_source, packed

CSV = b"question,answer\nWhere?,There.\n"
TEXT = "question;answer\nGebühr?;„5 €“\n"


def zipped(*files, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as pack:
        for name, content in files:
            pack.writestr(name, content)
    return out.getvalue()


def read(content, name="a.csv"):
    source = open_source(io.BytesIO(content), name)
    return [parse() for _, parse in source.rows], source.facts


def code(content, name="a.csv"):
    with pytest.raises(DomainError) as caught:
        list(open_source(io.BytesIO(content), name).rows)
    return caught.value.code


@pytest.mark.parametrize(
    ("content", "name", "kind"),
    [
        (gzip.compress(CSV), "a.csv.gz", "gzip"),
        (gzip.compress(CSV), "a.csv", "gzip"),
        (gzip.compress(CSV[:16]) + gzip.compress(CSV[16:]), "a.csv.gz", "gzip"),
        (zipped(("data/a.csv", CSV)), "a.zip", "ZIP"),
        (zipped(("a.csv", CSV), ("__MACOSX/._a.csv", b"\0"), (".DS_Store", b"\0")), "a.zip", "ZIP"),
        (zipped(("a.csv", CSV), method=zipfile.ZIP_STORED), "a.zip", "ZIP"),
    ],
)
def test_a_packed_file_is_read_as_its_content(content, name, kind):
    rows, facts = read(content, name)
    assert rows == [{"question": "Where?", "answer": "There."}]
    assert facts.packed == kind


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (gzip.compress(CSV)[:-6], "damaged_file"),
        (gzip.compress(CSV)[:12], "damaged_file"),
        (gzip.compress(CSV)[:-8] + b"\0" * 8, "damaged_file"),
        (zipped(("a.csv", CSV))[:-30], "damaged_file"),
        (b"PK\x03\x04....", "damaged_file"),
        (zipped(("a.csv", CSV), ("b.csv", CSV)), "packed_file"),
        (zipped(("folder/", b"")), "packed_file"),
        (zipped(("a.csv", CSV), method=zipfile.ZIP_LZMA), "packed_file"),
        (gzip.compress(gzip.compress(CSV)), "packed_file"),
        (b"BZh91AY", "packed_file"),
        (b"\x28\xb5\x2f\xfd..", "packed_file"),
    ],
)
def test_what_cannot_be_unpacked_is_said(content, expected):
    assert code(content, "a.gz") == expected


def test_a_zip_whose_directory_is_huge_is_refused_unread():
    content = bytearray(zipped(("a.csv", CSV)))
    end = content.rfind(b"PK\x05\x06")
    content[end + 12 : end + 16] = (2**30).to_bytes(4, "little")
    assert code(bytes(content), "a.zip") == "packed_file"


def test_every_damage_of_a_zip_is_said():
    whole = zipped(("a.csv", CSV))
    for place in range(len(whole)):
        for change in (1, 0x80, 0xFF):
            content = bytearray(whole)
            content[place] ^= change
            try:
                list(open_source(io.BytesIO(bytes(content)), "a.zip").rows)
            except DomainError as error:
                assert error.code in (
                    "damaged_file",
                    "packed_file",
                    "invalid_header",
                    "not_utf8",
                    "too_large",
                )


def test_unpacking_stops_at_the_size_of_an_upload(settings):
    settings.UPLOAD_MAX_BYTES = 2**20
    bomb = gzip.compress(b"a,b\n" * 2**20)
    assert len(bomb) < 2**15
    assert code(bomb, "a.csv.gz") == "too_large"


def test_a_bomb_is_refused_long_before_the_size_of_an_upload(monkeypatch):
    monkeypatch.setattr(packed, "_ALWAYS_ALLOWED", 2**20)
    bomb = gzip.compress(b"\0" * (8 * 2**20))
    assert code(bomb, "a.csv.gz") == "too_large"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TEXT.encode(), ""),
        (TEXT.encode("utf-8-sig"), ""),
        (TEXT.encode("cp1252"), "CP1252"),
        (TEXT.encode("utf-16"), "UTF-16"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "UTF-16"),
        (TEXT.encode("utf-16-le"), "UTF-16-LE"),
        (TEXT.encode("utf-32"), "UTF-32"),
        (gzip.compress(TEXT.encode("cp1252")), "CP1252"),
    ],
)
def test_files_of_spreadsheets_are_converted_and_it_is_said(content, encoding):
    rows, facts = read(content)
    assert rows == [{"question": "Gebühr?", "answer": "„5 €“"}]
    assert facts.encoding == encoding


@pytest.mark.parametrize(
    "content",
    [
        "a,b\nGebühr,1\n".encode() + b"\xfc,2\n",
        b"a,b\n\x81,2\n",
        "a,b\nПривет,мир\n".encode("cp1251"),
        b"a,b\nx,y\n\xc3",
    ],
    ids=["damaged UTF-8", "no CP1252", "another alphabet", "cut in a character"],
)
def test_bytes_that_are_surely_nothing_else_are_not_converted(content):
    source = open_source(io.BytesIO(content), "a.csv")
    assert source.facts.encoding == ""


def test_damage_in_utf16_is_said():
    assert code(TEXT.encode("utf-16")[:-1] + b"\xd8\xff") == "not_utf8"
