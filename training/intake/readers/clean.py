"""Check that rows contain only text that every database and encoding can store."""

import json
from typing import Any

from training.intake.readers import json_text
from training.intake.readers.lines import RowError, is_text, shown

_encode = json.JSONEncoder(ensure_ascii=False).encode


def require_clean(value: Any) -> None:
    """Refuse NUL (PostgreSQL cannot store it), lone surrogates (not valid text), also in keys, and nesting too deep
    for later readers."""
    fault = None if _evidently_clean(value) else _fault(value, 0)
    if fault is None:
        return
    said, steps = fault
    field = "".join(reversed(steps)).removeprefix(".")
    if field.startswith("["):
        field = f"row{field}"
    raise RowError(said.format(where=field or "row"), field)


def _evidently_clean(value: Any) -> bool:
    """Whether a quick check of its JSON text finds nothing suspicious. False means only that a full check is needed."""
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
    """The problem and its path from the inside out. The path is built only if there is a problem, because every row
    is checked."""
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
