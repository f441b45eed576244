"""Models from prompts to verdicts."""

from evaluation.models.assignments import Assignment, Reviewer, ReviewItem
from evaluation.models.campaigns import Amendment, Campaign, CampaignAction, Invite, Opening, allowed_actions
from evaluation.models.identity import IdentityHit
from evaluation.models.pairs import (
    Comparison,
    ComparisonCandidate,
    ComparisonFigures,
    Failure,
    FieldChange,
    Pair,
    Response,
    Timing,
)
from evaluation.models.prompts import LeakageCheck, Prompt, PromptSet, PromptTag
from evaluation.models.ratings import Draft, Rating, Remark, Revision, TunedGuess
from evaluation.models.reports import Report
from evaluation.models.rubrics import Rubric, RubricVersion

__all__ = [
    "Amendment",
    "Assignment",
    "Campaign",
    "CampaignAction",
    "Comparison",
    "ComparisonCandidate",
    "ComparisonFigures",
    "Draft",
    "Failure",
    "FieldChange",
    "IdentityHit",
    "Invite",
    "LeakageCheck",
    "Opening",
    "Pair",
    "Prompt",
    "PromptSet",
    "PromptTag",
    "Rating",
    "Remark",
    "Report",
    "Response",
    "ReviewItem",
    "Reviewer",
    "Revision",
    "Rubric",
    "RubricVersion",
    "Timing",
    "TunedGuess",
    "allowed_actions",
]
