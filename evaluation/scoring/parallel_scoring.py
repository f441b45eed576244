"""Judging in processes beside this one: it is most of an import's work, and one Python process uses one core."""

import os
import threading
from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from typing import Any, NamedTuple, Protocol, TypeVar

from evaluation.scoring.scorer import Scored, Scorer

# More could not be kept busy by the process that reads and stores.
_PROCESSES = 2


class Question(NamedTuple):
    """A prompt and the responses to it."""

    instruction: str
    content: Any
    tags: Mapping[str, str]
    expected: Any
    texts: Sequence[str]


class Batch(Protocol):
    def questions(self) -> list[Question]: ...


_B = TypeVar("_B", bound=Batch)


def score_all(scorer: Scorer, questions: Iterable[Question]) -> list[list[Scored]]:
    """What is stored of each response to each prompt."""
    return [scorer.score(**asked._asdict()) for asked in questions]


def scored_ahead(scorer: Scorer, batches: Iterable[_B]) -> Generator[tuple[_B, list[list[Scored]]]]:
    """Each batch with what `judge_all` says of it, in order; the next ones are judged meanwhile in other processes.

    Raises BrokenProcessPool when such a process dies. Close the iterator to stop early.
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


# The one judge of a process that does nothing else.
_judge_here: Scorer


def _begin(scorer: Scorer) -> None:
    global _judge_here
    _judge_here = scorer
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed cannot end its processes, which would wait for work for ever."""
    if parent := parent_process():
        parent.join()
        os._exit(1)


def _judge(questions: list[Question]) -> list[list[Scored]]:
    return score_all(_judge_here, questions)
