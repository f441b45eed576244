"""A run's log for its users: one line for each event, over all its attempts.

The output of the libraries goes to each attempt's `worker.log`, for operators.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

NAME = "run.log"
Event = dict[str, Any]


def append(file: Path, lines: Iterable[str]) -> None:
    """Add lines with the time. A log that cannot be written must not end a run."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    try:
        with file.open("a", encoding="utf-8") as out:
            out.writelines(f"{now}  {line}\n" for line in lines)
    except OSError:
        return


def lines_of(events: Iterable[Event]) -> list[str]:
    """A line for each event that is of interest to users."""
    return [_LINES[event["event"]](event) for event in events if event["event"] in _LINES]


def _step(event: Event) -> str:
    speed = f", {event['tokens_per_second']:,.0f} tokens/s" if event.get("tokens_per_second") else ""
    return (
        f"Step {event['step']:,} of {event['total_steps']:,}: loss {event['loss']:.4f}, token accuracy "
        f"{event['token_accuracy']:.1%}, learning rate {event['learning_rate']:.2e}{speed}."
    )


def _cancelled(event: Event) -> str:
    return f"Stopped after step {event['step']:,} on request." if "step" in event else "Stopped on request."


def _evaluation(event: Event) -> str:
    return (
        f"Validation after step {event['step']:,}: loss {event['loss']:.4f}, token accuracy "
        f"{event['token_accuracy']:.1%}."
    )


_LINES: dict[str, Callable[[Event], str]] = {
    "stage": lambda event: f"{str(event['stage']).capitalize()}.",
    "step": _step,
    "evaluation": _evaluation,
    "samples": lambda event: f"Answered {len(event['samples'])} sample prompts after step {event['step']:,}.",
    "checkpoint": lambda event: f"Checkpoint of step {event['step']:,} saved.",
    "responses": lambda event: f"{event['done']:,} of {event['total']:,} responses.",
    "progress": lambda event: f"{event['done']:,} of {event['total']:,} done.",
    "done": lambda event: "Done.",
    "cancelled": _cancelled,
    "error": lambda event: f"Failed ({event['code']}): {event['message']}",
}
