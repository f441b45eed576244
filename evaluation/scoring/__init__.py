"""Automatic metrics of a baseline and a candidate on the same prompts. Pure functions, no web framework."""

from evaluation.scoring.metrics import METRICS, Metric, PairRow, SideRow
from evaluation.scoring.parallel_scoring import Question, score_all, scored_ahead
from evaluation.scoring.scorer import Scored, Scorer
from evaluation.scoring.summary import SCHEMA_VERSION, Summary, field_changes, score_change

__all__ = [
    "METRICS",
    "SCHEMA_VERSION",
    "Metric",
    "PairRow",
    "Question",
    "Scored",
    "Scorer",
    "SideRow",
    "Summary",
    "field_changes",
    "score_all",
    "score_change",
    "scored_ahead",
]
