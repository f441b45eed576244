"""Automatic figures of a baseline and a candidate on the same prompts: pure functions, no web framework."""

from evaluation.scoring.metrics import METRICS, Metric, PairRow, SideRow
from evaluation.scoring.parallel_scoring import Question, judge_all, judged_ahead
from evaluation.scoring.scorer import Judge, Judged
from evaluation.scoring.summary import SCHEMA_VERSION, Summary, field_changes, score_change

__all__ = [
    "METRICS",
    "SCHEMA_VERSION",
    "Judge",
    "Judged",
    "Metric",
    "PairRow",
    "Question",
    "SideRow",
    "Summary",
    "field_changes",
    "judge_all",
    "judged_ahead",
    "score_change",
]
