"""Compare an expected output with a response, field by field. Pure functions, no web framework."""

from evaluation.scoring.matching.declared import Declared, Inference
from evaluation.scoring.matching.field_rule import FieldRule, Kind
from evaluation.scoring.matching.match import FieldMatch, Match, Wanted, match
from evaluation.scoring.matching.response import answer, find_object, printable

__all__ = [
    "Declared",
    "FieldMatch",
    "FieldRule",
    "Inference",
    "Kind",
    "Match",
    "Wanted",
    "answer",
    "find_object",
    "match",
    "printable",
]
