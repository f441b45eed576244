"""The events of the protocol: one JSON object per line, with its kind under `event` and the required fields of that
kind.

Only training reports `step`; other jobs report `progress`. The sender rejects events that are not listed here, so no
reader receives an event without its required fields.
"""

from collections.abc import Mapping
from typing import Any

_COUNT = ("done", "total")
_FIGURES = ("step", "loss", "token_accuracy")

FIELDS: dict[str, tuple[str, ...]] = {
    "stage": ("stage",),
    "heartbeat": (),
    # Any job: the number done and the total.
    "progress": _COUNT,
    # Training.
    "step": (
        *_FIGURES,
        *("total_steps", "learning_rate", "grad_norm", "tokens", "tokens_per_second", "memory_bytes"),
    ),
    "evaluation": _FIGURES,
    "history": ("steps", "evaluations"),
    "samples": ("step", "samples"),
    "checkpoint": ("step", "path"),
    # Generation.
    "facts": ("facts",),
    "responses": ("responses", *_COUNT),
    "timings": ("timings", *_COUNT),
    "failures": ("failures", *_COUNT),
    # The end. A training run that was stopped includes the last `step`.
    "done": (),
    "cancelled": (),
    "error": ("code", "message"),
}


def problem(event: object) -> str:
    """Why `event` is not a valid event of the protocol; empty if it is valid."""
    if not isinstance(event, Mapping):
        return "it is not an object"
    kind: Any = event.get("event")
    if not isinstance(kind, str) or kind not in FIELDS:
        return f"there is no event {kind!r}"
    missing = [name for name in FIELDS[kind] if name not in event]
    return f"{kind} lacks {', '.join(missing)}" if missing else ""
