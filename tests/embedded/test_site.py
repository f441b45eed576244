"""The embedded site starts with nothing installed and leaves nothing behind, however it ends."""

import json
import signal
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from tests import services
from tests.embedded.site import Site, gone, refused

pytestmark = pytest.mark.slow


@contextmanager
def _started(folder: Path) -> Iterator[Site]:
    """A site with every process that it can have."""
    endpoints = folder / "endpoints.toml"
    endpoints.write_text('[elsewhere]\nbase_url = "http://127.0.0.1:9/v1"\n')
    site = Site(folder / "var", services.free_port(), GENERATION_ENDPOINTS_FILE=str(endpoints))
    try:
        site.wait_until_served()
        yield site
    finally:
        site.clean_up()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site of the test's own, to be ended by it."""
    with _started(tmp_path) as site:
        yield site


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for the tests that only look."""
    with _started(tmp_path_factory.mktemp("site")) as site:
        yield site


def test_a_first_start_serves_and_gives_a_log_in_once(lasting: Site):
    with urllib.request.urlopen(f"http://127.0.0.1:{lasting.port}/healthz") as answer:
        assert json.load(answer) == {"status": "ok", "database": "ok", "redis": "ok"}
    assert lasting.said().count("with the password") == 1
    assert stat.S_IMODE((lasting.var / "secret_key").stat().st_mode) == 0o600


def test_its_redis_keeps_an_append_only_file_evicts_nothing_and_listens_on_no_port(lasting: Site):
    import redis

    with redis.Redis(unix_socket_path=str(lasting.var / "valkey.sock"), decode_responses=True) as client:
        kept = (
            client.config_get("appendonly")
            | client.config_get("maxmemory-policy")
            | client.config_get("port")
        )
    assert kept == {"appendonly": "yes", "maxmemory-policy": "noeviction", "port": "0"}


def test_a_second_start_on_the_same_folder_is_refused(lasting: Site):
    second = refused(lasting.var, PORT=str(services.free_port()))
    assert second.returncode == 1
    assert f"already runs in {lasting.var} (process {lasting.process.pid})" in second.stderr
    assert second.stderr.count("\n") == 1
    services.wait_until(lasting.healthy, what="the health of the first")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything(site: Site, number: signal.Signals):
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip(f"{number.name} is ignored here, as under nohup, and the site keeps to that")
    processes = site.processes()
    assert len(processes) >= 11, "the command, five guards, Redis, three workers, the web server"
    assert site.end(number) == 0, site.said()
    assert gone(processes)
    assert "Traceback" not in site.said()


def test_a_kill_of_the_command_stops_everything_and_the_next_start_works(site: Site):
    processes = site.processes()
    site.end(signal.SIGKILL)
    again = Site(site.var, site.port)
    try:
        again.wait_until_served()
        services.wait_until(lambda: gone(processes), what="the end of all processes")
    finally:
        again.clean_up()


def test_a_service_that_dies_is_named_and_stops_the_rest(site: Site):
    processes = site.processes()
    [server] = [process for process in processes if "valkey" in process.name() or "redis" in process.name()]
    server.kill()
    assert site.process.wait(120) == 1
    assert "ServiceDied: The service redis stopped unexpectedly" in site.said()
    assert str(site.var / "logs" / "redis.log") in site.said()
    assert gone(processes)


def test_make_being_killed_stops_the_site(tmp_path: Path):
    """The process that started the command may be killed alone; `make` asks for this through the environment."""
    script = (
        "import subprocess, sys; from pathlib import Path; from tests.embedded.site import Site;"
        "site = Site(Path(sys.argv[1]), int(sys.argv[2]), STOP_WITH_PARENT='1'); site.wait_until_served();"
        "print(*[p.pid for p in site.processes()], flush=True); input()"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "var"), str(services.free_port())]
    with subprocess.Popen(
        command, cwd=services.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        processes = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        assert len(processes) >= 9
        parent.kill()
    services.wait_until(lambda: gone(processes), what="the end of all processes")
