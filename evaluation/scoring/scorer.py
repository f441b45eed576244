"""Scores of one response: its match with the expected output, and measures of its text. These are stored."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry

from evaluation.scoring.matching import FieldRule, Match, Wanted, answer, find_object, match
from evaluation.scoring.matching.declared import parse
from evaluation.scoring.matching.field_rule import Json
from evaluation.scoring.measures import measure
from evaluation.scoring.measures.checks import CHECKS, passes

# (match or None, measures), without the texts, which are stored separately.
Scored = tuple[dict[str, Any] | None, dict[str, Any]]
# Digits.
_LONGEST_NUMBER = 5_000


class Scorer:
    """Scores the responses of one prompt set by its declared rules, its schema and its check."""

    def __init__(
        self, declared: Mapping[str, Any], schema: Mapping[str, Any] | None = None, check: str = ""
    ) -> None:
        """Raises ValueError for invalid rules. An empty schema checks nothing."""
        self._made_of = (declared, schema, check)
        self._comparisons: Mapping[str, FieldRule] = parse(declared)
        # An empty registry prevents fetching, whatever a schema references.
        self._validator = Draft202012Validator(dict(schema), registry=Registry()) if schema else None
        self._check = next((known for known in CHECKS if known == check), None)

    def __reduce__(self) -> tuple[type["Scorer"], tuple[Any, ...]]:
        return Scorer, self._made_of

    def match(self, expected: Any, text: str) -> Match:
        return match(expected, text, self._comparisons)

    def score(
        self, *, instruction: str, content: Any, tags: Mapping[str, str], expected: Any, texts: Sequence[str]
    ) -> list[Scored]:
        """Score each response to one prompt. Only what follows its last thought counts."""
        wanted = None if expected is None else Wanted(expected, self._comparisons)
        judged = []
        for text in texts:
            found = wanted.match(text) if wanted else None
            answered = answer(text)
            measures = self._measures(found, answered)
            if self._check is not None:
                asked = "\n".join([instruction, *_texts(content)])
                measures["passed"] = passes(self._check, prompt=asked, tags=tags, response=answered)
            judged.append((None if found is None else self._stored(found, text), measures))
        return judged

    def _stored(self, found: Match, text: str) -> dict[str, Any]:
        return {
            "json_status": found.json_status,
            "exact": found.exact,
            "score": found.score,
            "schema_valid": self.schema_valid(text),
            "fields": [
                {"field": each.field, "status": each.status, "similarity": each.similarity}
                for each in found.fields
            ],
            "extra_fields": len(found.extra_fields),
        }

    def schema_valid(self, text: str) -> bool | None:
        """Whether the response contains an object that is valid under the schema; None without a schema."""
        if self._validator is None:
            return None
        value = find_object(text).value
        try:
            return value is not None and self._validator.is_valid(_as_read(value))
        except (RecursionError, OverflowError):
            # Nested too deeply, or a number too long to be compared with one of the schema.
            return False

    def _measures(self, found: Match | None, text: str) -> dict[str, Any]:
        """Measures of the free text in a structured response, or of the whole response if it has no free-text field.

        JSON punctuation is not prose, so nothing is measured if the expected free text is missing.
        """
        prose = text
        if found is not None and found.json_status != "not_json_expected":
            free = [each for each in found.fields if each.comparison == "similar"]
            prose = "\n".join(each.got for each in free if isinstance(each.got, str))
            if free and not prose:
                return {"empty": not text.strip()}
            prose = prose or text
        taken = measure(prose)
        return {
            "words": taken.words,
            "reading_ease": taken.reading_ease,
            "politeness": taken.politeness,
            "empathy": taken.empathy,
            "empty": not text.strip(),
        }


def _as_read(value: Json) -> Json:
    """The value with the numbers that a program reads, because schemas cannot be checked on decimals.

    Raises OverflowError for a number that takes quadratic time to convert.
    """
    if isinstance(value, Decimal):
        if value.adjusted() > _LONGEST_NUMBER:
            raise OverflowError
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: _as_read(inner) for name, inner in value.items()}
    return [_as_read(inner) for inner in value] if isinstance(value, list) else value


def _texts(value: Json) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return [str(value)]
