"""Progress output of the demo: a moving bar on a terminal, an occasional line elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_LINE_SECONDS = 10


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Display:
    """Shows one stage at a time: `with display.stage("Training") as show: show(12, 338, "loss 0.41")`."""

    def __init__(self, stages: int) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self._stages = stages
        self._number = 0

    def stage(self, title: str) -> "Stage":
        self._number += 1
        return Stage(self.console, f"[{self._number}/{self._stages}] {title}")

    def say(self, text: str) -> None:
        self.console.print(text, markup=False)


class Stage:
    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._started = self._printed = time.monotonic()
        self._result = ""
        self._bar: Progress | None = None
        if console.is_terminal:
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
            )
            self._bar = Progress(
                *columns, TextColumn("{task.fields[note]}"), TimeElapsedColumn(), console=console
            )
            self._task = self._bar.add_task(title, total=None, note="")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        else:
            self._console.print(f"{self._title} …", markup=False)
        return self

    def __call__(
        self, done: int, total: int | None, note: str = "", seconds_left: float | None = None
    ) -> None:
        """Show how far the stage is; `note` is a figure worth watching, such as the loss."""
        left = f"about {duration(seconds_left)} left" if seconds_left is not None else ""
        text = " · ".join(part for part in (note, left) if part)
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total, note=text)
        elif now - self._printed >= _LINE_SECONDS:
            self._printed = now
            of = f" of {total:,}" if total else ""
            self._console.print(f"      {done:,}{of}  {text}", markup=False)

    def result(self, text: str) -> None:
        self._result = text

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar.console.file.flush()
        took = duration(time.monotonic() - self._started)
        if kind is None:
            self._console.print(
                f"      {self._result} ({took})" if self._result else f"      done ({took})", markup=False
            )
