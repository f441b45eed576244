"""Every upload converts text of other encodings and rejects what is no text: the message says how to fix the file, and
nothing is stored."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from evaluation.models import Comparison, PromptSet
from ftplatform.accounts.services import issue_token
from tests import factories
from training.models import Dataset, Upload

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\x06\0\0\0\x1f\xf3\xffa" + bytes(range(256)) * 8
# The columns that each kind of file needs. "MARK" in one text is replaced with the bytes under test.
KINDS: dict[str, dict[str, str]] = {
    "dataset": {"instruction": "Decide MARK.", "output": "Yes"},
    "prompts": {"prompt": "Decide MARK.", "expected": "Yes"},
    "pairs": {"prompt": "Decide MARK.", "baseline": "No", "candidate": "Yes"},
    "ratings": {
        "prompt_id": "pMARK",
        "reviewer_id": "r1",
        "preference": "win",
        "candidate_side": "left",
    },
}
ROWS = 12


def written(kind: str, end: str, mark: str, row: int = 7) -> str:
    """A valid file whose row number `row` contains `mark`."""
    columns = KINDS[kind]
    rows = [
        {
            name: value.replace("MARK", f"{mark} {n}" if n == row else f"{n}")
            for name, value in columns.items()
        }
        for n in range(ROWS)
    ]
    if end == "jsonl":
        return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in rows)
    lines = [",".join(columns), *(",".join(each.values()) for each in rows)]
    return "\n".join(lines) + "\n"


def in_the_header(kind: str, end: str) -> bytes:
    """A file with a column name that is not UTF-8; in JSON lines, the first key of the first row."""
    first = next(iter(KINDS[kind]))
    return written(kind, end, "x").encode().replace(first.encode(), first.encode() + b"\xe9", 1)


FILES: dict[str, Callable[[str, str], bytes]] = {
    "Latin-1": lambda kind, end: written(kind, end, "Gebühr").encode("latin-1"),
    "CP1252": lambda kind, end: written(kind, end, "“5 €”").encode("cp1252"),
    "Latin-1 in the first row": lambda kind, end: written(kind, end, "Gebühr", row=0).encode("latin-1"),
    "Latin-1 in the header": in_the_header,
    "UTF-16": lambda kind, end: written(kind, end, "x").encode("utf-16"),
    "UTF-16 without a mark": lambda kind, end: written(kind, end, "x").encode("utf-16-le"),
    "UTF-16, big end first": lambda kind, end: b"\xfe\xff" + written(kind, end, "x").encode("utf-16-be"),
    "UTF-32": lambda kind, end: written(kind, end, "x").encode("utf-32"),
    "NUL": lambda kind, end: written(kind, end, "a\0b").encode().replace(b"\\u0000", b"\0"),
    "a picture": lambda kind, end: PNG,
    "cut in a character": lambda kind, end: written(kind, end, "x").encode()[:-3] + b"\xc3",
    "a lone surrogate": lambda kind, end: (
        written(kind, end, "SIGN")
        .encode()
        .replace(b"SIGN", b"\\ud800" if end == "jsonl" else b"\xed\xa0\x80")
    ),
    "nothing": lambda kind, end: b"",
    "a byte order mark alone": lambda kind, end: b"\xef\xbb\xbf",
    "white space": lambda kind, end: b" \n\n",
}
# Files that every reader converts, and says so.
CONVERTED = {name for name in FILES if name.startswith(("Latin", "CP", "UTF"))}


@pytest.fixture
def owner():
    return factories.user()


def sent(owner, content: bytes, file_name: str, path: str, **values: str) -> tuple[int, str]:
    """Post a page's form; returns the status and text of the response."""
    client = Client(raise_request_exception=False)
    client.force_login(owner)
    answer = client.post(path, {"file": SimpleUploadedFile(file_name, content), **values}, follow=True)
    return answer.status_code, answer.content.decode()


def api(owner) -> Any:
    _, key = issue_token(user=owner, name="t", scopes=["read", "train", "evaluate"], days=1)
    return Client(raise_request_exception=False, headers={"Authorization": f"Bearer {key}"})


def posted(owner, content: bytes, file_name: str, path: str, **values: str) -> tuple[int, str]:
    answer = api(owner).post(f"/api/v1/{path}", {"file": SimpleUploadedFile(file_name, content), **values})
    return answer.status_code, answer.content.decode()


def upload_then_look(owner, content: bytes, name: str) -> tuple[int, str]:
    """Uploads are stored before columns are mapped, so the error comes from the preview, then from the check."""
    status, text = posted(owner, content, name, "uploads/", name="x")
    if status != 201:
        return status, text
    path = f"/api/v1/uploads/{json.loads(text)['id']}/"
    seen = api(owner).get(path)
    if seen.status_code != 200:
        return seen.status_code, seen.content.decode()
    checked = api(owner).post(f"{path}dataset/", {}, "application/json")
    return checked.status_code, checked.content.decode()


def upload_page(owner, content: bytes, name: str) -> tuple[int, str]:
    Upload.objects.all().delete()
    status, text = sent(owner, content, name, "/training/datasets/new/", name="x")
    if status != 200 or not Upload.objects.exists():
        return status, text
    client = Client(raise_request_exception=False)
    client.force_login(owner)
    path = f"/training/datasets/uploads/{Upload.objects.get().pk}/"
    form = client.get(path).context["form"]
    values = {name: form[name].value() or "" for name in form.fields}
    answer = client.post(path, {**values, "store": "1"}, follow=True)
    return answer.status_code, answer.content.decode()


def api_analysis(owner, content: bytes, name: str) -> tuple[int, str]:
    kind = "text/csv" if name.endswith("csv") else "application/x-ndjson"
    answer = api(owner).generic("POST", "/api/v1/analyses/", content, content_type=kind)
    return answer.status_code, answer.content.decode()


def command(name: str, *options: str) -> Callable[..., tuple[int, str]]:
    def run(_owner, content: bytes, file_name: str, folder: Path) -> tuple[int, str]:
        file = folder / file_name
        file.write_bytes(content)
        try:
            call_command(name, str(file), *options)
        except CommandError as error:
            str(error).encode()
            return 400, str(error)
        return 200, ""

    return run


PAIR_NAMES = {"name": "x", "baseline": "A", "candidate": "B"}
DOORS: dict[str, tuple[str, Callable[..., tuple[int, str]]]] = {
    "page of datasets": ("dataset", lambda o, c, n, _: upload_page(o, c, n)),
    "API of datasets": ("dataset", lambda o, c, n, _: posted(o, c, n, "datasets/", name="x")),
    "API of uploads": ("dataset", lambda o, c, n, _: upload_then_look(o, c, n)),
    "import_dataset": ("dataset", command("import_dataset", "--name", "x")),
    "page of prompt sets": (
        "prompts",
        lambda o, c, n, _: sent(o, c, n, "/prompt-sets/new/?from=file", name="x"),
    ),
    "API of prompt sets": ("prompts", lambda o, c, n, _: posted(o, c, n, "prompt-sets/upload/", name="x")),
    "import_prompts": ("prompts", command("import_prompts", "--name", "x")),
    "page of pairs": ("pairs", lambda o, c, n, _: sent(o, c, n, "/comparisons/import/", **PAIR_NAMES)),
    "API of pairs": ("pairs", lambda o, c, n, _: posted(o, c, n, "comparisons/import/", **PAIR_NAMES)),
    "import_pairs": (
        "pairs",
        command("import_pairs", "--name", "x", "--baseline", "A", "--candidate", "B"),
    ),
    "page of analyses": ("ratings", lambda o, c, n, _: sent(o, c, n, "/analyse/", margin="5")),
    "API of analyses": ("ratings", lambda o, c, n, _: api_analysis(o, c, n)),
    "analyze": ("ratings", command("analyze")),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("end", ["csv", "jsonl"])
def test_a_file_that_is_not_text_is_refused_and_nothing_stored(owner, tmp_path, door, end):
    kind, opened = DOORS[door]
    for file, made in FILES.items():
        if file in CONVERTED:
            continue
        status, text = opened(owner, made(kind, end), f"file.{end}", tmp_path)
        assert 400 <= status < 500 and status not in (403, 404, 429), (file, status, text[-2000:])
        if file == "cut in a character":
            assert "UTF-8" in text, (file, text[-3000:])
        assert not (Dataset.objects.exists() or PromptSet.objects.exists() or Comparison.objects.exists())


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("end", ["csv", "jsonl"])
def test_the_same_file_as_utf8_is_taken(owner, tmp_path, door, end):
    """Control: the same file in UTF-8 is accepted, so the tests above fail only because of its bytes."""
    kind, opened = DOORS[door]
    status, text = opened(owner, written(kind, end, "Gebühr 5 €").encode(), f"file.{end}", tmp_path)
    assert status < 400, text[-3000:]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("end", ["csv", "jsonl"])
@pytest.mark.parametrize("file", sorted(CONVERTED - {"Latin-1 in the header"}))
def test_a_file_in_another_encoding_is_converted(owner, tmp_path, door, end, file):
    kind, opened = DOORS[door]
    status, text = opened(owner, FILES[file](kind, end), f"file.{end}", tmp_path)
    assert status < 400, text[-3000:]
