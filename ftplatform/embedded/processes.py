"""Start and watch the services of the embedded site, and stop them however the command ends."""

import http.client
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from django.conf import settings
from django.db import connection

from ftplatform import queues
from ftplatform.embedded import broker, checks, commands, prepare
from ftplatform.embedded.child import GRACE_SECONDS, Child, Service
from ftplatform.embedded.errors import CannotStart

START_SECONDS = 120.0
BROKER, WEB = "redis", "web"


class Interrupted(SystemExit):
    """Ctrl-C or a request to terminate. The exit status is the one a shell reports for such a process."""


class Running:
    """The services that run inside a `with services()` block."""

    def __init__(self, *, lock: int, say: Callable[[str], object]) -> None:
        self.say = say
        self.url = ""
        self._lock = lock
        self._children: list[Child] = []
        self._parent = os.getppid()

    def start(self, service: Service) -> Child:
        child = Child(service, lock=self._lock)
        self._children.append(child)
        return child

    def serve(self, port: int) -> None:
        """Start the web server and return when it answers."""
        checks.check_port(port)
        self.start(Service(WEB, commands.web(f"{checks.ADDRESS}:{port}")))
        self.wait_until(lambda: _healthy(port), what="The web server")
        self.url = f"http://{checks.ADDRESS}:{port}/"

    def check(self) -> None:
        """Raise ServiceDied if a service has ended. Call it regularly while waiting for workers.

        `make` sets STOP_WITH_PARENT, because nothing else would stop the site after `make` was killed.
        """
        for child in self._children:
            child.check()
        if os.environ.get("STOP_WITH_PARENT") and os.getppid() != self._parent:
            raise Interrupted(128 + signal.SIGTERM)

    def wait(self) -> None:
        """Block until Ctrl-C or SIGTERM; raises ServiceDied if a service ends before that."""
        try:
            while True:
                self.check()
                time.sleep(0.3)
        except Interrupted:
            return

    def wait_until(self, ready: Callable[[], bool], *, what: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                logs = settings.VAR_DIR / "logs"
                raise CannotStart(f"{what} did not answer within {START_SECONDS:.0f} seconds; see {logs}.")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop all services except the broker at the same time, then the broker when nothing uses it any more."""
        users = [child for child in self._children if child.service.name != BROKER]
        for child in users:
            child.ask_to_stop()
        for child in (*users, *self._children):
            child.stop()
        self._children.clear()


@contextmanager
def services(
    *, workers: bool = True, port: int | None = None, say: Callable[[str], object] = lambda _line: None
) -> Iterator[Running]:
    """Start what the configuration needs: a Redis server unless REDIS_URL names one, and the Celery nodes.

    With `port`, a port in use is reported before anything starts. Raises CannotStart. Main thread only: inside the
    block, Ctrl-C and SIGTERM raise Interrupted.
    """
    checks.check_folder(settings.VAR_DIR)
    if port is not None:
        checks.check_port(port)
    with _signals(_interrupt), checks.only_one(settings.VAR_DIR, patience=GRACE_SECONDS + 5) as lock:
        broker.check_configured()
        running = Running(lock=lock, say=say)
        try:
            _start(running, workers=workers)
            yield running
        finally:
            # A second Ctrl-C must not leave anything running; stopping takes a few seconds at most.
            with _signals(signal.SIG_IGN):
                say("Stopping.")
                running.stop()


def _start(running: Running, *, workers: bool) -> None:
    running.say("Preparing the database and the static files.")
    prepare.migrate()
    prepare.collect_static_files()
    _take_back_jobs()
    if not settings.REDIS_URL:
        running.say("Starting the Redis server.")
        running.start(Service(BROKER, broker.command()))
        running.wait_until(broker.answers, what="The Redis server")
    if workers:
        running.say("Starting the workers.")
        _start_workers(running)


def _take_back_jobs() -> None:
    """Queue interrupted jobs. Only this command uses the embedded database and it holds the lock, so no worker is
    left."""
    from ftplatform.jobs.services import take_back_all

    if connection.vendor == "sqlite":
        take_back_all()


def _start_workers(running: Running) -> None:
    """Start the nodes at once, one a queue; that of endpoints only where some are configured. SIGQUIT ends a node
    without waiting for its job; the job's lease covers that."""
    from ftplatform.celery import app

    served = (queues.GPU, queues.CPU, *([queues.ENDPOINT] if settings.GENERATION_ENDPOINTS else []))
    names = {queue: f"{queue}-{os.getpid()}" for queue in served}
    for queue, name in names.items():
        command = commands.worker(queue, beat=queue == queues.CPU, name=name)
        running.start(Service(f"worker-{queue}", command, stop_signal=signal.SIGQUIT))

    def answered() -> bool:
        replies = {node.partition("@")[0] for reply in app.control.ping(timeout=0.5) for node in reply}
        return replies >= set(names.values())

    running.wait_until(answered, what="A worker")


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection(checks.ADDRESS, port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(128 + number)


@contextmanager
def _signals(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> Iterator[None]:
    """Handle the signals that end a command. A SIGHUP that was ignored from the start (nohup) stays ignored."""
    wanted = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        wanted.append(signal.SIGHUP)
    before = {number: signal.signal(number, handler) for number in wanted}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
