"""Statistics of blind reviews: pure functions of arrays, frozen results and explicit seeds."""

from evaluation.stats.plan import Look, Plan
from evaluation.stats.ratings import OUTCOMES, Ratings, Slicing, slicing
from evaluation.stats.report import Report, analyse

__all__ = ["OUTCOMES", "Look", "Plan", "Ratings", "Report", "Slicing", "analyse", "slicing"]
