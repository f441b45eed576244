"""Rows hold text that every database and every encoding can store."""

import json
from typing import Any

from training.intake.readers import json_text
from training.intake.readers.lines import RowError, is_text, shown

_encode = json.JSONEncoder(ensure_ascii=False).encode


def require_clean(value: Any) -> None:
    """No NUL (PostgreSQL cannot store it) and no lone surrogate (it is not text) anywhere, keys included; and not
    nested so deeply that what reads it later gives up."""
    fault = None if _evidently_clean(value) else _fault(value, 0)
    if fault is None:
        return
    said, steps = fault
    field = "".join(reversed(steps)).removeprefix(".")
    if field.startswith("["):
        field = f"row{field}"
    raise RowError(said.format(where=field or "row"), field)


def _evidently_clean(value: Any) -> bool:
    """Whether a quick look at its JSON text shows nothing that could be wrong; False says nothing."""
    try:
        text = _encode(value)
        return (
            "\\u0000" not in text
            and text.count("{") + text.count("[") <= json_text.MAX_DEPTH
            and is_text(text)
        )
    except (TypeError, ValueError, RecursionError):
        return False


def _fault(value: Any, depth: int) -> tuple[str, list[str]] | None:
    """What is wrong, and the way there from the inside out, put together only then: every row is asked."""
    if isinstance(value, str):
        if "\x00" in value:
            return "{where} contains a NUL character; remove it.", []
        if not is_text(value):
            return "{where} is not valid UTF-8 or contains a lone surrogate; save the file as UTF-8.", []
        return None
    if not isinstance(value, dict | list):
        return None
    if depth > json_text.MAX_DEPTH:
        return json_text.TOO_DEEP, []
    if isinstance(value, list):
        for index, inner in enumerate(value):
            if fault := _fault(inner, depth + 1):
                return fault[0], [*fault[1], f"[{index}]"]
        return None
    for key, inner in value.items():
        if fault := _fault(key, 0):
            return fault
        if fault := _fault(inner, depth + 1):
            return fault[0], [*fault[1], f".{shown([key])}"]
    return None
