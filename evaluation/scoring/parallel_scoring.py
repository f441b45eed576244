"""Score responses in other processes.

Scoring takes most of the time of an import, and one Python process uses one core.
"""

import os
import threading
from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from typing import Any, NamedTuple, Protocol, TypeVar

from evaluation.scoring.scorer import Scored, Scorer

# The process that reads and stores cannot keep more processes busy.
_PROCESSES = 2


class Question(NamedTuple):
    """A prompt and its responses."""

    instruction: str
    content: Any
    tags: Mapping[str, str]
    expected: Any
    texts: Sequence[str]


class Batch(Protocol):
    def questions(self) -> list[Question]: ...


_B = TypeVar("_B", bound=Batch)


def score_all(scorer: Scorer, questions: Iterable[Question]) -> list[list[Scored]]:
    """Score every response to each prompt."""
    return [scorer.score(**asked._asdict()) for asked in questions]


def scored_ahead(scorer: Scorer, batches: Iterable[_B]) -> Generator[tuple[_B, list[list[Scored]]]]:
    """Yield each batch with its `score_all` result, in order. Other processes score the next batches meanwhile.

    Raises BrokenProcessPool if such a process dies. Close the iterator to stop early.
    """
    pool = ProcessPoolExecutor(_PROCESSES, get_context("spawn"), initializer=_begin, initargs=(scorer,))
    pending: deque[tuple[_B, Future[list[list[Scored]]]]] = deque()
    try:
        for batch in batches:
            pending.append((batch, pool.submit(_judge, batch.questions())))
            if len(pending) > _PROCESSES:
                first, future = pending.popleft()
                yield first, future.result()
        for first, future in pending:
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


# The scorer of a worker process.
_judge_here: Scorer


def _begin(scorer: Scorer) -> None:
    global _judge_here
    _judge_here = scorer
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Exit when the parent process ends. A killed parent cannot stop its workers, which would wait forever."""
    if parent := parent_process():
        parent.join()
        os._exit(1)


def _judge(questions: list[Question]) -> list[list[Scored]]:
    return score_all(_judge_here, questions)
