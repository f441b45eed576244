"""Give a test run an environment of its own before Django reads its settings.

Loaded by `-p tests.plugin` (see pyproject.toml), because conftest files load too late. The developer's `var/` and
environment are not used. `--database=postgresql` starts a real server for the duration of the run.

With `-n 2` (pytest-xdist), each worker process loads this plugin and gets its own folder, databases and servers. The
controller, which only distributes the tests, starts none.
"""

import argparse
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import services

OURS = (
    *("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "VAR_DIR", "ARTEFACT_DIR", "STATIC_ROOT", "PORT", "DEBUG"),
    *(
        "ALLOWED_HOSTS",
        "GENERATION_ENDPOINTS_FILE",
        "MLFLOW_TRACKING_URI",
        "CSRF_TRUSTED_ORIGINS",
        "BEHIND_PROXY",
        "LOG_LEVEL",
        "STOP_WITH_PARENT",
    ),
    "DJANGO_SETTINGS_MODULE",
)

_open = ExitStack()


def _only_hands_out_tests(options: argparse.Namespace) -> bool:
    """Whether this process is the xdist controller, which runs no tests itself."""
    return bool(getattr(options, "numprocesses", None)) and "PYTEST_XDIST_WORKER" not in os.environ


def _own_folder(is_for_workers: bool) -> Path:
    """Create a folder that is removed at the end. Worker folders are inside the controller's folder, which removes
    them even when a worker is killed."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        folder = Path(os.environ["FTPLATFORM_TESTS"]) / worker
        folder.mkdir()
        return folder
    folder = Path(tempfile.mkdtemp(prefix="ftplatform-tests-"))
    _open.callback(shutil.rmtree, folder, ignore_errors=True)
    if is_for_workers:
        os.environ["FTPLATFORM_TESTS"] = str(folder)
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=["sqlite", "postgresql"],
        default="sqlite",
        help="the database that the tests run on; postgresql starts a server of its own",
    )


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    for name in OURS:
        os.environ.pop(name, None)
    options = early_config.known_args_namespace
    folder = _own_folder(_only_hands_out_tests(options))
    # WhiteNoise warns when the static files folder does not exist.
    (folder / "var" / "staticfiles").mkdir(parents=True)
    os.environ["VAR_DIR"] = str(folder / "var")
    os.environ["HTTPS"] = "0"
    if "PYTEST_XDIST_WORKER" in os.environ:
        # The xdist workers already use all cores.
        os.environ["OMP_NUM_THREADS"] = "1"
    if options.database == "postgresql" and not _only_hands_out_tests(options):
        (folder / "postgresql").mkdir()
        os.environ["DATABASE_URL"] = _open.enter_context(services.postgresql(folder / "postgresql"))
    return (yield)


def pytest_unconfigure() -> None:
    _open.close()


def pytest_report_header(config: pytest.Config) -> str:
    return f"database: {config.getoption('--database')}"
