"""Expected output against a response, field by field: pure functions, no web framework."""

from evaluation.matching.comparison import Comparison, Kind
from evaluation.matching.declared import Declared, Inference
from evaluation.matching.match import FieldMatch, Match, match
from evaluation.matching.response import find_object, printable

__all__ = [
    "Comparison",
    "Declared",
    "FieldMatch",
    "Inference",
    "Kind",
    "Match",
    "find_object",
    "match",
    "printable",
]
