"""The drill: what was backed up is restored into an empty installation, and every table and file is the same."""

import fcntl
import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
import threading
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from evaluation.models import Campaign, Report
from evaluation.review import protocol
from ftplatform.accounts.models import User
from ftplatform.backups import tables
from ftplatform.embedded.checks import only_one
from ftplatform.errors import DomainError
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
    made, restored = capsys.readouterr().out.splitlines()
    assert " rows and 3 files, " in made and " rows and 3 files as they were on " in restored


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
        writer.join(timeout=100)
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
    assert contents() == before and [each.name for each in (tmp_path / "new").iterdir()] == ["lock"]


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


def test_a_manifest_of_another_shape_is_refused(installation, tmp_path):
    file = back_up(tmp_path)
    empty(installation, tmp_path / "new")
    for manifest, says in {
        b"x": "as a whole: Invalid JSON",
        b"[]": "as a whole: Input should be an object",
        b'{"format": 1}': "made_at: Field required",
    }.items():
        other = rewritten(file, lambda name, data, m=manifest: m if name == "manifest.json" else data)
        with pytest.raises(CommandError, match=says):
            call_command("restore", other)


def with_a_user_without_address(file):
    """The archive with one row that no database takes, and a manifest that agrees."""
    label, digest = "database/accounts.user.jsonl.gz", ""

    def change(name, data):
        nonlocal digest
        if name == label:
            names, first, *rest = gzip.decompress(data).splitlines()
            row = dict(zip(json.loads(names), json.loads(first), strict=True)) | {"email": None}
            data = gzip.compress(b"\n".join([names, json.dumps(list(row.values())).encode(), *rest]))
            digest = hashlib.sha256(data).hexdigest()
        if name == "manifest.json":
            manifest = json.loads(data)
            manifest["members"][label] = digest
            data = json.dumps(manifest).encode()
        return data

    return rewritten(file, change)


def test_rows_that_the_database_does_not_take_are_named(installation, tmp_path):
    file = with_a_user_without_address(back_up(tmp_path))
    empty(installation, tmp_path / "new")
    with pytest.raises(
        CommandError, match=r"accounts\.user, one of the rows 1 to \d+: .*Nothing was changed"
    ):
        call_command("restore", file)
    assert not User.objects.exists() and not (tmp_path / "new/artefacts").exists()


def test_what_a_killed_backup_left_is_written_over_unless_it_is_still_being_written(installation, tmp_path):
    left = tmp_path / ".backup.tar.part"
    left.write_bytes(b"x" * 20_000_000)
    with left.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(CommandError, match="Another backup is being written"):
            back_up(tmp_path)
        assert left.stat().st_size == 20_000_000
    file = back_up(tmp_path)
    assert file.stat().st_size < 20_000_000 and not left.exists()


def test_a_backup_goes_neither_into_itself_nor_into_a_folder_that_is_not_there(installation, tmp_path):
    for place, says in {
        "var/artefacts/b.tar": "inside ARTEFACT_DIR",
        "nowhere/b.tar": "no folder .*nowhere",
    }.items():
        with pytest.raises(CommandError, match=says):
            call_command("backup", tmp_path / place)
        assert not (tmp_path / place).exists()


def test_an_artefact_that_cannot_be_read_is_not_left_out_in_silence(installation, tmp_path, monkeypatch):
    """A folder of another user's; the tests may run as root, who can read everything."""

    def refuse(folder):
        if str(folder).endswith("models"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    scandir = os.scandir
    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(CommandError, match=r"failed at .*/models: Permission denied"):
        back_up(tmp_path)


def test_a_database_of_an_older_version_is_neither_backed_up_nor_migrated_by_a_restore(
    installation, tmp_path
):
    file = back_up(tmp_path)
    recorder = MigrationRecorder(connection)
    ((_, newest),) = MigrationLoader(connection).graph.leaf_nodes("training")
    recorder.record_unapplied("training", newest)
    try:
        with pytest.raises(CommandError, match=rf"first training\.{newest}"):
            call_command("backup", tmp_path / "second.tar")
        shutil.rmtree(installation.ARTEFACT_DIR)
        with pytest.raises(CommandError, match="it has accounts"):
            call_command("restore", file)
        assert tables.missing_migrations()
    finally:
        recorder.record_applied("training", newest)


OLD = Path(__file__).parent / "data" / "version-0.1.tar"


def test_a_backup_of_version_0_1_is_migrated_to_this_version(installation, tmp_path):
    """One analysed campaign of four pairs and three reviewers, with stored figures and its report, made by 0.1.0."""
    empty(installation, tmp_path / "new")
    call_command("restore", OLD)
    assert not tables.missing_migrations()
    campaign = Campaign.objects.get()
    assert campaign.status == Campaign.Status.ANALYSED
    assert (campaign.ratings.count(), campaign.comparison.pairs.count()) == (12, 4)
    figures = campaign.comparison.figures.get()
    assert figures.candidate == campaign.candidate and figures.figures["metrics"]
    assert campaign.comparison.prompt_set.field_rules is not None
    assert protocol.hash_of(campaign) == campaign.protocol_hash
    # New rows are numbered after the loaded ones.
    factories.rated_campaign(pairs=2, reviewers=2)


def test_a_report_of_version_0_1_opens_in_every_format(installation, tmp_path, client):
    empty(installation, tmp_path / "new")
    call_command("restore", OLD)
    report = Report.objects.get()
    client.force_login(report.campaign.created_by)
    page = f"/campaigns/{report.campaign_id}/report/"
    assert client.get(page).status_code == 200
    for kind in ("json", "md", "html", "pdf"):
        assert client.get(f"{page}{report.look}/report.{kind}").status_code == 200
    assert client.get(f"{page}{report.look}/export.zip").status_code == 200


def test_a_backup_of_a_newer_version_is_refused_and_changes_nothing(installation, tmp_path):
    with tarfile.open(OLD) as tar:
        manifest = json.loads((tar.extractfile("manifest.json") or io.BytesIO()).read())
    with pytest.raises(DomainError) as refused:
        tables.migrate_to([*manifest["migrations"], "evaluation.9999_not_yet_written"])
    assert refused.value.code == "other_version"
    assert not tables.missing_migrations()


def test_nothing_is_restored_beside_a_running_site(installation, tmp_path):
    file = back_up(tmp_path)
    empty(installation, tmp_path / "new")
    with only_one(installation.VAR_DIR, patience=0), pytest.raises(CommandError, match="already runs in"):
        call_command("restore", file)
    call_command("restore", file)


def test_what_a_killed_restore_left_does_not_stand_in_the_way(installation, tmp_path):
    file = back_up(tmp_path)
    empty(installation, tmp_path / "new")
    left = installation.ARTEFACT_DIR / ".restoring" / "artefacts" / "half"
    left.parent.mkdir(parents=True)
    left.touch()
    call_command("restore", file)
    assert sorted(each.name for each in installation.ARTEFACT_DIR.iterdir()) == ["models", "runs"]
