"""Expected output against a response, field by field: pure functions, no web framework."""

from evaluation.matching.comparison import Comparison, Kind
from evaluation.matching.declared import Declared, Inference
from evaluation.matching.match import FieldMatch, Match, Wanted, match
from evaluation.matching.response import find_object, printable

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
