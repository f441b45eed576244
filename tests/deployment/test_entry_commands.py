"""Every entry command of the compose file, for real, without Docker: a PostgreSQL and a Redis server on TCP stand
where its services would."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ftplatform.embedded import broker
from tests import services
from tests.deployment import compose

pytestmark = pytest.mark.slow

PASSWORD = "only-in-this-test"


class Deployment:
    """The servers of the compose file, and its commands with this machine's addresses in them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self.port = services.free_port()
        variables = {
            "SECRET_KEY": "s" * 64,
            "POSTGRES_PASSWORD": PASSWORD,
            "REDIS_PASSWORD": PASSWORD,
            "ALLOWED_HOSTS": "review.example.org",
        }
        self.services = compose.services(variables)
        redis_port = self._start_redis()
        (folder / "postgresql").mkdir()
        database = stack.enter_context(services.postgresql(folder / "postgresql"))
        self.environment = {
            **os.environ,
            **self.services["web"]["environment"],
            "DATABASE_URL": database,
            "REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:{redis_port}/0",
            "VAR_DIR": str(folder / "data"),
            # What the volume puts in its place where nobody gives a file.
            "GENERATION_ENDPOINTS_FILE": "/dev/null",
        }

    def _start_redis(self) -> int:
        port = services.free_port()
        [_server, *options] = self.services["redis"]["command"]
        place = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command = [str(broker.server()), *options, *place]
        self.stack.enter_context(services.guarded(command, log=self.folder / "redis.log"))
        return port

    def command(self, name: str) -> list[str]:
        here = {"python": sys.executable, "0.0.0.0:8000": f"127.0.0.1:{self.port}"}
        return [here.get(part, part) for part in self.services[name]["command"]]

    def start(self, name: str) -> None:
        log = self.folder / f"{name}.log"
        self.stack.enter_context(services.guarded(self.command(name), log=log, env=self.environment))

    def get(self, path: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path)
        return connection.getresponse()

    def healthy(self) -> bool:
        try:
            return self.get("/healthz").status == 200
        except OSError:
            return False

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=services.ROOT, env=self.environment, capture_output=True, text=True, timeout=600
        )


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("deployment")
    with ExitStack() as stack:
        deployment = Deployment(folder, stack)
        migrated = deployment.run(*deployment.command("migrate"))
        assert migrated.returncode == 0, migrated.stderr
        for name in ("web", "worker-gpu", "worker-cpu", "worker-endpoint"):
            deployment.start(name)
        services.wait_until(deployment.healthy, seconds=600, what="the web server's health")
        yield deployment


def test_the_web_server_is_healthy_and_sends_everybody_to_tls(deployment: Deployment):
    health = deployment.get("/healthz")
    assert json.load(health) == {"status": "ok", "database": "ok", "redis": "ok"}
    assert deployment.get("/").status == 301


@pytest.mark.parametrize("queue", ["gpu", "cpu", "endpoint"])
def test_a_worker_answers_its_health_check(deployment: Deployment, queue: str):
    [_shell, check] = deployment.services[f"worker-{queue}"]["healthcheck"]["test"]
    command = check.replace("$$", "$").replace("python ", f"{sys.executable} ", 1)

    def answered() -> bool:
        return "pong" in deployment.run("sh", "-c", command).stdout

    services.wait_until(answered, seconds=600, what="the worker's answer")


def test_the_health_check_of_the_web_passes(deployment: Deployment):
    [_exec, _python, *rest] = deployment.services["web"]["healthcheck"]["test"]
    code = [part.replace(":8000", f":{deployment.port}") for part in rest]
    # It is asked every few seconds, and a busy machine may miss its deadline once.
    services.wait_until(
        lambda: deployment.run(sys.executable, *code).returncode == 0, seconds=600, what="the web's health"
    )
