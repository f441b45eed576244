"""The drill: what was backed up is restored into an empty installation, and every table and file is the same."""

import hashlib
import io
import json
import shutil
import tarfile
import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from ftplatform.accounts.models import User
from ftplatform.backups import tables
from tests import factories
from training.models import ModelVersion

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def installation(settings, tmp_path):
    settings.VAR_DIR = tmp_path / "var"
    settings.ARTEFACT_DIR = settings.VAR_DIR / "artefacts"
    factories.rated_campaign(pairs=4, reviewers=3)
    model = ModelVersion.objects.filter(kind="base").latest("created_at")
    model.path = str(settings.ARTEFACT_DIR / "models" / "ours")
    model.save()
    for name, text in {
        "models/ours/weights": "w" * 3_000_000,
        "runs/1/log": "",
        "incoming/half": "x",
    }.items():
        file = settings.ARTEFACT_DIR / name
        file.parent.mkdir(parents=True)
        file.write_text(text)
    (settings.VAR_DIR / "secret_key").write_text(settings.SECRET_KEY)
    return settings


def contents():
    """The SHA-256 of every table that is backed up."""
    return {
        label: hashlib.sha256(b"".join(tables.dump(model))).hexdigest()
        for label, model in tables.all_tables().items()
    }


def empty(settings, folder):
    call_command("flush", interactive=False, verbosity=0)
    settings.VAR_DIR = folder
    settings.ARTEFACT_DIR = folder / "artefacts"
    folder.mkdir()


def back_up(folder):
    file = folder / "backup.tar"
    call_command("backup", file)
    return file


def test_what_is_restored_is_what_was_backed_up(installation, tmp_path, capsys):
    before = contents()
    file = back_up(tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["backup.tar", "var"]

    folder = installation.ARTEFACT_DIR
    call_command("flush", interactive=False, verbosity=0)
    assert contents() != before
    shutil.rmtree(folder)

    call_command("restore", file)
    assert contents() == before
    assert (folder / "models/ours/weights").read_text() == "w" * 3_000_000
    assert (folder / "runs/1/log").read_text() == ""
    assert not (folder / "incoming").exists()
    # Life goes on: new rows get numbers of their own.
    factories.user()
    assert "Restored as it was on" in capsys.readouterr().out


def test_a_backup_moves_to_other_folders_with_its_secret(installation, tmp_path, monkeypatch):
    monkeypatch.delenv("SECRET_KEY", raising=False)
    file = back_up(tmp_path)
    empty(installation, tmp_path / "new")
    call_command("restore", file)
    model = ModelVersion.objects.get(path=str(tmp_path / "new/artefacts/models/ours"))
    assert (tmp_path / "new/artefacts/models/ours/weights").is_file() and model.kind == "base"
    secret = tmp_path / "new" / "secret_key"
    assert secret.read_text() == installation.SECRET_KEY and secret.stat().st_mode & 0o777 == 0o600


def test_nobody_waits_for_a_backup_and_it_is_of_one_moment(installation, tmp_path):
    """A row that is written by somebody else while the tables are read is not in it, though its table comes later."""
    with tables.snapshot():
        before = User.objects.count()

        def write():
            factories.user()
            connection.close()

        writer = threading.Thread(target=write)
        writer.start()
        writer.join(timeout=30)
        assert not writer.is_alive()
        assert User.objects.count() == before
    assert User.objects.count() == before + 1


def test_nothing_is_written_over(installation, tmp_path):
    file = back_up(tmp_path)
    with pytest.raises(CommandError, match="exists already"):
        call_command("backup", file)
    with pytest.raises(CommandError, match="it has accounts"):
        call_command("restore", file)
    call_command("flush", interactive=False, verbosity=0)
    with pytest.raises(CommandError, match="has files"):
        call_command("restore", file)


def content_of(tar, entry):
    with tar.extractfile(entry) as stream:
        return stream.read()


def rewritten(file, change):
    """The archive with its members changed by `change`, a function of name and bytes; None leaves one out."""
    target = file.with_name("changed.tar")
    with tarfile.open(file) as old, tarfile.open(target, "w") as new:
        for entry in old:
            data = change(entry.name, content_of(old, entry))
            if data is not None:
                copy = tarfile.TarInfo(entry.name)
                copy.size = len(data)
                new.addfile(copy, io.BytesIO(data))
    return target


def with_other_migrations(name, data):
    if name != "manifest.json":
        return data
    manifest = json.loads(data)
    return json.dumps(manifest | {"migrations": [*manifest["migrations"], "training.9999_later"]}).encode()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda name, data: None if name == "manifest.json" else data, "no manifest"),
        (
            lambda name, data: data[:-1] if name.endswith("weights") else data,
            "first artefacts/models/ours/weights",
        ),
        (lambda name, data: None if name.endswith("user.jsonl.gz") else data, "first database/accounts.user"),
        (with_other_migrations, "first training.9999_later"),
    ],
    ids=["cut off", "changed", "missing", "other version"],
)
def test_a_backup_that_is_not_whole_changes_nothing(installation, tmp_path, change, says):
    file = rewritten(back_up(tmp_path), change)
    empty(installation, tmp_path / "new")
    before = contents()
    with pytest.raises(CommandError, match=says):
        call_command("restore", file)
    assert contents() == before and list((tmp_path / "new").iterdir()) == []


def test_other_files_and_members_that_point_outside_are_refused(installation, tmp_path):
    empty(installation, tmp_path / "new")
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(CommandError, match="no backup"):
        call_command("restore", tmp_path / "text")
    for name, kind in (
        ("../outside", tarfile.REGTYPE),
        ("/outside", tarfile.REGTYPE),
        ("link", tarfile.SYMTYPE),
    ):
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, "/etc"
        with tarfile.open(tmp_path / "bad.tar", "w") as tar:
            tar.addfile(entry)
        with pytest.raises(CommandError, match="a member that no backup has"):
            call_command("restore", tmp_path / "bad.tar")
    assert not (tmp_path / "outside").exists()
