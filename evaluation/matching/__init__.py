"""Expected output against a response, field by field: pure functions, no web framework."""

from evaluation.matching.comparison import Comparison, Kind
from evaluation.matching.declared import Declared, infer_all
from evaluation.matching.match import FieldMatch, Match, match
from evaluation.matching.response import find_object, printable

__all__ = [
    "Comparison",
    "Declared",
    "FieldMatch",
    "Kind",
    "Match",
    "find_object",
    "infer_all",
    "match",
    "printable",
]
