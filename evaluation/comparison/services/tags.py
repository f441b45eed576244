"""Tags of prompts: short values used to slice a comparison. A tag is a name with one text value per prompt."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evaluation.models import PromptSet, PromptTag
from ftplatform import bulk_rows
from ftplatform.errors import DomainError
from training.intake.conversations import prompt_parts, texts

LENGTH = "length"
LONGEST_VALUE = 60
# A field is suggested only if it has few values and each covers several prompts.
_MOST_VALUES = 20
_MOST_FIELDS = 500
_PROMPTS_PER_VALUE = 5
_BANDS = ((20, "up to 20 words"), (100, "21 to 100 words"), (500, "101 to 500 words"))
_LONGEST_BAND = "more than 500 words"

Row = Mapping[str, Any]
Tags = dict[str, str]


def of_rows(rows: Sequence[Row], fields: Sequence[str] | None) -> list[Tags]:
    """Tags of each row: its own `tags`, the chosen input fields (dotted paths), and its length band.

    By default, input fields with few values are chosen. Raises DomainError `unknown_tag_field` for a chosen field
    that no row has.
    """
    chosen = suggested(rows) if fields is None else list(fields)
    if fields:
        _require_known(rows, chosen)
    return [of_row(row, chosen) for row in rows]


def suggested(rows: Iterable[Row]) -> list[str]:
    """Input fields with 2 to 20 values and at least five prompts per value on average."""
    suggestion = Suggestion()
    for row in rows:
        suggestion.add(row.get("input"))
    return suggestion.fields()


class Suggestion:
    """Finds input fields that are suitable as tags, reading one input at a time."""

    def __init__(self) -> None:
        self._values: dict[str, Counter[str]] = {}
        self._unfit: set[str] = set()

    def add(self, content: Any) -> None:
        for path, value in _leaves(content):
            if path in self._unfit or len(self._values) > _MOST_FIELDS:
                continue
            text = _text(value)
            counts = self._values.get(path)
            if counts is None:
                counts = self._values[path] = Counter()
            if text is not None:
                counts[text] += 1
            if text is None or len(counts) > _MOST_VALUES:
                self._unfit.add(path)

    def fields(self) -> list[str]:
        return [
            path
            for path, counts in self._values.items()
            if path not in self._unfit
            and len(counts) >= 2
            and len(counts) * _PROMPTS_PER_VALUE <= counts.total()
        ]


def length_band(content: Any) -> str:
    """The band of the number of words in a prompt's input, or in all turns of a conversation but the system's."""
    if isinstance(content, dict):
        words = sum(_words(value) for _, value in _leaves(content))
    else:
        words = sum(len(text.split()) for text in texts(content))
    return next((name for most, name in _BANDS if words <= most), _LONGEST_BAND)


def of_row(row: Row, fields: Sequence[str]) -> Tags:
    """The tags of one row."""
    instruction, given = prompt_parts(row)
    leaves = dict(_leaves(given))
    derived: Tags = {LENGTH: length_band(given or instruction)}
    derived |= {path: text for path in fields if (text := _text(leaves.get(path))) is not None}
    own: Tags = row.get("tags", {})
    return derived | own


def store(prompt_set: PromptSet, prompts: Iterable[tuple[int, Tags]]) -> None:
    """Store the tags of saved prompts as rows, so that pairs can be filtered by them."""
    rows = [
        (prompt, *row)
        for prompt, own in prompts
        for row in {name[:200]: value for name, value in own.items()}.items()
    ]
    bulk_rows.insert(PromptTag, {"prompt_set_id": prompt_set.pk}, ("prompt_id", "name", "value"), rows)


def _require_known(rows: Sequence[Row], fields: Sequence[str]) -> None:
    known = dict.fromkeys(path for row in rows for path, _ in _leaves(row.get("input")))
    unknown = [path for path in fields if path not in known]
    if unknown:
        names = ", ".join(list(known)[:20]) or "no named fields"
        raise DomainError(
            "unknown_tag_field",
            f"No prompt's input has the field {unknown[0]}; the inputs have {names}.",
            status=422,
        )


def _leaves(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        return []
    leaves: list[tuple[str, Any]] = []
    for key, inner in value.items():
        leaves += (
            _leaves(inner, f"{prefix}{key}.") if isinstance(inner, dict) else [(f"{prefix}{key}", inner)]
        )
    return leaves


def _text(value: Any) -> str | None:
    """A short scalar as a tag value; None for anything else."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str | int | float):
        return None
    text = " ".join(str(value).split())
    return text if 0 < len(text) <= LONGEST_VALUE else None


def _words(value: Any) -> int:
    return len(value.split()) if isinstance(value, str) else 1
