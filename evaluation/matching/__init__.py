"""Expected output against a response, field by field: pure functions, no web framework."""

from evaluation.matching.comparison import Comparison
from evaluation.matching.match import FieldMatch, Match, match
from evaluation.matching.response import printable

__all__ = ["Comparison", "FieldMatch", "Match", "match", "printable"]
