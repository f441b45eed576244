"""A few seconds and a few gigabytes for what a stranger wrote: the chat template that comes with a base model.

The template engine's sandbox keeps a template from Python's objects, not from loops that never end or texts that fill
the memory. The limits are the system's: a timer that interrupts Python code wherever it is, a second one that ends the
process if the first is not heard (it is stuck inside C), and a ceiling for new memory.
"""

import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.ml.errors import MlError

SECONDS = 5.0
# Of the processor's time, when the interrupt was not heard.
_DEAF_SECONDS = 8.0
_MEMORY_BYTES = 4 * 2**30
_STATM = Path("/proc/self/statm")


@contextmanager
def bounded(what: str) -> Iterator[None]:
    """Run the block within SECONDS and little memory. Raises MlError: template_too_slow, template_too_large.

    Signals reach the main thread only, so in another one the block runs without the limits; nothing here renders
    there. Memory is bounded on Linux only.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_signal: int, _frame: object) -> None:
        raise MlError(
            "template_too_slow",
            f"{what} was stopped after {SECONDS:.0f} seconds on a single conversation; choose another base model, or "
            "mend the template.",
        )

    before = signal.signal(signal.SIGALRM, interrupt)
    memory = resource.getrlimit(resource.RLIMIT_AS)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, _DEAF_SECONDS)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        _limit_memory(memory)
        yield
    except MemoryError:
        raise MlError(
            "template_too_large",
            f"{what} asks for gigabytes of memory for a single conversation; choose another base model, or mend the "
            "template.",
        ) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, memory)
        signal.signal(signal.SIGALRM, before)


def _limit_memory(now: tuple[int, int]) -> None:
    if _STATM.exists():
        used = int(_STATM.read_text().split()[0]) * resource.getpagesize()
        soft = used + _MEMORY_BYTES
        if now[0] == resource.RLIM_INFINITY or soft < now[0]:
            resource.setrlimit(resource.RLIMIT_AS, (soft, now[1]))
