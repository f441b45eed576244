"""Names of an earlier version in bodies and filters, accepted for one more minor version."""

from collections.abc import Mapping
from typing import Any


def with_new_names(given: Any, old_names: Mapping[str, str]) -> Any:
    """Return the mapping `given` with old names replaced. If both names are given, the new one wins."""
    renamed = [(old, new) for old, new in old_names.items() if old in given]
    if renamed:
        given = given.copy()
        for old, new in renamed:
            given.setdefault(new, given[old])
            del given[old]
    return given
