"""Fixtures for all tests: real servers, a browser, and data that is not part of the repository."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import services
from tests import smollm as real_model

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Raise SQLite's lock timeout above that of a real site, because a busy machine is slow."""
    from django.db import connection

    if connection.vendor == "sqlite":
        connection.settings_dict["OPTIONS"]["timeout"] = 120


@pytest.fixture(autouse=True)
def _fresh_limits() -> None:
    """Rate limits are counted in the cache; clear it so that tests do not share limits."""
    from django.core.cache import cache

    cache.clear()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Start a real Redis-protocol server where the settings expect it; yields the broker's URL."""
    from django.conf import settings

    from ftplatform.embedded import broker

    settings.VAR_DIR.mkdir(parents=True, exist_ok=True)
    with services.guarded(broker.command(), log=settings.VAR_DIR / "redis.log"):
        services.wait_until(broker.answers, what="Redis's answer")
        yield settings.CELERY_BROKER_URL


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real datasets beside the checkout; tests that need it are skipped where it is missing."""
    folder = services.ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"there is no folder {folder}")
    return folder


@pytest.fixture(scope="session")
def smollm() -> Path:
    """The folder of SmolLM2-135M-Instruct, a real instruct model; do not change it."""
    return real_model.prepared()[1]


@pytest.fixture(scope="session")
def smollm_gguf() -> Path:
    """The same model as one quantised file."""
    return real_model.prepared()[0]


def find_chromium() -> str | None:
    named = os.environ.get("CHROMIUM", "")
    return named or next((found for name in CHROMIUMS if (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of an installed Chromium, for `playwright.chromium.launch(executable_path=...)`."""
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium is installed (CHROMIUM may name one)")
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if find_chromium():
        return
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason="no Chromium is installed (CHROMIUM may name one)"))


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name bytes by their length. By its content, a compressed file would have another name at every second, and two
    test processes must collect the same names."""
    return f"{len(val)} bytes" if isinstance(val, bytes) else None
