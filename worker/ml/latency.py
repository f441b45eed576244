"""Single-stream latency: how long one user waits while there are no other requests.

Batched generation does not show this, and figures of two models are comparable only if they were measured under the
same conditions: one prompt at a time, after warm-up, with the models in random order for every prompt, on the same
loaded base. `first` is the time to the first token and includes reading the prompt. Times of later tokens are counted
from it.
"""

from collections.abc import Callable
from typing import Any

from worker.ml.prompts import Measurement
from worker.ml.sides import Prompt, Sides

WARM_UP_ROUNDS = 2
WARM_UP_TOKENS = 16


def warm_up(sides: Sides, models: list[str], prompt: Prompt, tick: Callable[[], None]) -> None:
    """Generate briefly with every model, one row at a time, so that no measurement includes one-time costs."""
    for _ in range(WARM_UP_ROUNDS):
        for model in models:
            rows = [sides.row(prompt, 0)]
            list(sides.write(model, rows, tick=tick, width=1, max_new_tokens=WARM_UP_TOKENS))


def measure(sides: Sides, planned: Measurement, prompt: Prompt, tick: Callable[[], None]) -> dict[str, Any]:
    """Generate one response alone and time it, in milliseconds."""
    row = sides.row(prompt, 0)
    list(sides.write(planned.model, [row], tick=tick, width=1))
    return {
        "prompt_id": planned.prompt_id,
        "model": planned.model,
        "place": planned.place,
        "input_tokens": len(row.token_ids),
        "output_tokens": len(row.tokens),
        "first_token_ms": round((row.first - row.started) * 1000, 3),
        "total_ms": round((row.ended - row.started) * 1000, 3),
    }
