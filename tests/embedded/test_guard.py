"""The guard's promise: when it is asked to stop, or nobody is left to ask, nothing of its command survives."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil  # type: ignore[import-untyped]
import pytest

from tests import services
from tests.embedded.site import gone

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True);"
    "time.sleep(600)"
)
# A child that starts a grandchild in a session of its own, as a worker starts a training process.
FAMILY = (
    "import subprocess, sys, time;"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True);"
    "print('up', child.pid, flush=True); time.sleep(600)"
)


class Guarded:
    def __init__(self, code: str, *, grace: float = 60) -> None:
        self.guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(services.GUARD), str(grace), "15", sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.guard.stdout
        self.words = self.guard.stdout.readline().split()
        self.family = psutil.Process(self.guard.pid).children(recursive=True)

    def is_gone(self) -> bool:
        return bool(self.family) and gone(self.family)

    def let_go(self) -> None:
        assert self.guard.stdin
        self.guard.stdin.close()


@pytest.fixture
def family() -> Iterator[Guarded]:
    guarded = Guarded(FAMILY)
    yield guarded
    for process in guarded.family:
        if process.is_running():
            process.kill()


@pytest.fixture
def stubborn() -> Iterator[Guarded]:
    guarded = Guarded(STUBBORN, grace=0.5)
    yield guarded
    if guarded.guard.poll() is None:
        guarded.guard.kill()


def test_end_of_input_ends_the_command_and_its_grandchild(family: Guarded):
    assert len(family.family) == 2
    family.let_go()
    assert family.guard.wait(120) == 128 + signal.SIGTERM
    assert family.is_gone()


def test_a_command_that_ignores_the_signal_is_killed_after_the_grace(stubborn: Guarded):
    stubborn.let_go()
    assert stubborn.guard.wait(120) == 128 + signal.SIGKILL
    assert stubborn.is_gone()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a child die with its parent")
def test_a_killed_guard_takes_its_command_along(stubborn: Guarded):
    stubborn.guard.kill()
    stubborn.guard.wait()
    services.wait_until(stubborn.is_gone, what="the command's end")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt orphans")
def test_an_orphan_left_by_a_command_that_ended_is_killed(family: Guarded):
    psutil.Process(int(family.guard.pid)).children()[0].kill()
    assert family.guard.wait(120) == 128 + signal.SIGKILL
    assert family.is_gone()


def test_without_a_guard_the_grandchild_survives():
    """The negative control: ending such a command alone is not enough."""
    with subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout
        grandchild = psutil.Process(int(command.stdout.readline().split()[1]))
        command.terminate()
        command.wait()
    assert grandchild.is_running()
    grandchild.kill()


def test_the_exit_status_is_the_commands():
    guarded = Guarded("print('up'); raise SystemExit(7)")
    assert guarded.guard.wait(120) == 7
