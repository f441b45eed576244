"""The events of the protocol: one JSON object a line, its kind under `event`, and the fields that a kind always has.

Only training reports a `step`; every other job that counts what it does reports `progress`. The sender refuses an
event that is not listed here, so that no reader meets a field that is missing.
"""

from collections.abc import Mapping
from typing import Any

_COUNT = ("done", "total")
_FIGURES = ("step", "loss", "token_accuracy")

FIELDS: dict[str, tuple[str, ...]] = {
    "stage": ("stage",),
    "heartbeat": (),
    # Any job: so many of so many are done.
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
    # The end. A training that was stopped says after which `step`.
    "done": (),
    "cancelled": (),
    "error": ("code", "message"),
}


def problem(event: object) -> str:
    """Why this is no event of the protocol; empty when it is one."""
    if not isinstance(event, Mapping):
        return "it is not an object"
    kind: Any = event.get("event")
    if not isinstance(kind, str) or kind not in FIELDS:
        return f"there is no event {kind!r}"
    missing = [name for name in FIELDS[kind] if name not in event]
    return f"{kind} lacks {', '.join(missing)}" if missing else ""
