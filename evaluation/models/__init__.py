"""From prompts to verdicts."""

from evaluation.models.assignments import Assignment, Reviewer, ReviewItem
from evaluation.models.campaigns import Amendment, Campaign, Invite
from evaluation.models.pairs import Failure, GenerationRun, Pair, Response, RunCandidate, Timing
from evaluation.models.prompts import Prompt, PromptSet
from evaluation.models.ratings import Rating
from evaluation.models.reports import Report
from evaluation.models.rubrics import Rubric, RubricVersion

__all__ = [
    "Amendment",
    "Assignment",
    "Campaign",
    "Failure",
    "GenerationRun",
    "Invite",
    "Pair",
    "Prompt",
    "PromptSet",
    "Rating",
    "Report",
    "Response",
    "ReviewItem",
    "Reviewer",
    "Rubric",
    "RubricVersion",
    "RunCandidate",
    "Timing",
]
