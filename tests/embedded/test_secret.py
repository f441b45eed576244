"""The secret key of a first start: made once, whole, for its owner alone."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from ftplatform import env


@pytest.fixture(autouse=True)
def no_key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)


def test_it_is_made_once_and_only_its_owner_reads_it(tmp_path: Path):
    made = env.secret("SECRET_KEY", tmp_path / "var" / "secret_key")
    assert len(made) >= 64
    assert env.secret("SECRET_KEY", tmp_path / "var" / "secret_key") == made
    assert stat.S_IMODE((tmp_path / "var" / "secret_key").stat().st_mode) == 0o600


def test_first_starts_that_race_agree(tmp_path: Path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _n: env.secret("SECRET_KEY", tmp_path / "secret_key"), range(40)))
    assert len(set(made)) == 1


def test_a_failed_write_leaves_no_empty_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(_source: str, _target: Path) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(ImproperlyConfigured, match="cannot be written: No space left on device"):
        env.secret("SECRET_KEY", tmp_path / "secret_key")
    assert not list(tmp_path.iterdir())


def test_a_given_key_must_be_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SECRET_KEY", "short")
    with pytest.raises(ImproperlyConfigured, match="at least 50 characters"):
        env.secret("SECRET_KEY", tmp_path / "secret_key")
