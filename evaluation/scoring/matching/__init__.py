"""Expected output against a response, field by field: pure functions, no web framework."""

from evaluation.scoring.matching.declared import Declared, Inference
from evaluation.scoring.matching.field_rule import Comparison, Kind
from evaluation.scoring.matching.match import FieldMatch, Match, Wanted, match
from evaluation.scoring.matching.response import find_object, printable

__all__ = [
    "Comparison",
    "Declared",
    "FieldMatch",
    "Inference",
    "Kind",
    "Match",
    "Wanted",
    "find_object",
    "match",
    "printable",
]
