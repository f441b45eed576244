"""Names of an earlier version in bodies and filters, read for one more minor version."""

from collections.abc import Mapping
from typing import Any


def with_new_names(given: Any, old_names: Mapping[str, str]) -> Any:
    """`given`, a mapping, with names of an earlier version replaced. A new name that is given too wins."""
    renamed = [(old, new) for old, new in old_names.items() if old in given]
    if renamed:
        given = given.copy()
        for old, new in renamed:
            given.setdefault(new, given[old])
            del given[old]
    return given
