"""How a file was read, in sentences."""

from collections.abc import Mapping
from typing import Any

from django.template.defaultfilters import pluralize

from ftplatform.text.numbers import count
from ftplatform.text.values import plain


def reading(source: Mapping[str, Any]) -> list[str]:
    """What was done to read a file; `source` has the fields of `ReadFacts` and those that `Rows.facts` adds."""
    blank, dropped = source.get("blank_lines", 0), source.get("dropped_turns", 0)
    sentences = {
        "packed": f"Unpacked from {source.get('packed')}.",
        "encoding": f"Converted from {source.get('encoding')} to UTF-8. Check letters with accents.",
        "separator": f"Cells are separated by the {source.get('separator')}.",
        "skipped_columns": f"Columns without a name left out: {plain(source.get('skipped_columns'))}.",
        "ignored_columns": f"Columns not used: {plain(source.get('ignored_columns'))}.",
        "blank_lines": f"{count(blank)} blank line{pluralize(blank)} skipped.",
        "dropped_turns": f"{count(dropped)} turn{pluralize(dropped)} after the last trained answer dropped.",
    }
    return [
        sentence
        for name, sentence in sentences.items()
        if source.get(name) and (name, source[name]) != ("separator", "comma")
    ]
