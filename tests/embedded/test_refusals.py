"""What keeps the site from starting is said in one sentence, at once, with an exit status that is not zero."""

import socket
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from django.conf import settings

from ftplatform import env
from ftplatform.embedded import broker, checks
from ftplatform.embedded.errors import CannotStart
from tests import services
from tests.embedded.site import refused


def _one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().count("\n") == 0, done.stderr
    return done.stderr


def test_a_port_in_use(tmp_path: Path):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        said = _one_sentence(refused(tmp_path / "var", PORT=str(port)))
    assert f"Port {port} is already in use; choose another one, for example PORT={port + 1}." in said
    assert not (tmp_path / "var" / "ftplatform.sqlite3").exists(), "nothing was started before the refusal"


def test_a_port_that_is_none(tmp_path: Path):
    assert "70000 is not a port" in _one_sentence(refused(tmp_path / "var", PORT="70000"))
    assert "PORT='http' is not a whole number" in _one_sentence(refused(tmp_path / "var", PORT="http"))


def test_a_redis_that_does_not_answer(tmp_path: Path):
    url = f"redis://:secret@127.0.0.1:{services.free_port()}/0"
    said = _one_sentence(refused(tmp_path / "var", PORT=str(services.free_port()), REDIS_URL=url))
    assert "No Redis answers at 127.0.0.1:" in said
    assert "secret" not in said


def test_a_database_that_does_not_answer(tmp_path: Path):
    url = f"postgres://nobody@127.0.0.1:{services.free_port()}/nothing"
    said = _one_sentence(refused(tmp_path / "var", PORT=str(services.free_port()), DATABASE_URL=url))
    assert "The database cannot be used" in said


def test_a_folder_that_cannot_be(tmp_path: Path):
    (tmp_path / "file").write_text("")
    said = _one_sentence(refused(tmp_path / "file" / "var", PORT=str(services.free_port())))
    assert "cannot be written" in said


def test_a_folder_that_is_a_file_with_the_secret_given(tmp_path: Path):
    (tmp_path / "var").write_text("")
    with pytest.raises(CannotStart, match="cannot be written"):
        checks.check_folder(tmp_path / "var")


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checks, "MIN_FREE_BYTES", 2**60)
    with pytest.raises(CannotStart, match="MB are needed"):
        checks.check_folder(tmp_path)


def test_no_redis_server_at_hand(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.metadata.files", lambda _name: [])
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CannotStart, match="No Redis server was found"):
        broker.server()


def test_a_server_on_path_serves_where_the_wheel_carries_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("importlib.metadata.files", lambda _name: [])
    (tmp_path / "redis-server").write_text("#!/bin/sh\n")
    (tmp_path / "redis-server").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert broker.server() == tmp_path / "redis-server"


def test_a_long_path_gets_a_short_socket_in_a_private_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = env.socket(Path("/long") / ("x" * 120) / "valkey.sock")
    assert len(str(path)) - len(str(tmp_path)) <= 60
    assert path == env.socket(Path("/long") / ("x" * 120) / "valkey.sock")
    assert path != env.socket(Path("/long") / ("y" * 120) / "valkey.sock")
    monkeypatch.setattr(settings, "REDIS_SOCKET", path)
    broker.command()
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_stand_in_folder_that_others_may_enter_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    monkeypatch.setattr(settings, "REDIS_SOCKET", tmp_path / "open" / "valkey.sock")
    with pytest.raises(CannotStart, match="belongs to another user"):
        broker.command()
