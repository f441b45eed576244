"""The closing question, which tests the blinding: which response came from the tuned model?

Every reviewer is asked once, about the last pair they rated. The side of that pair was drawn at random, so without
any knowledge each definite guess is right with probability ½, whatever the reviewer's habits. The exact binomial test
against ½ needs no other assumption.
"""

from typing import Any

from django.db import IntegrityError, transaction
from scipy.stats import binomtest

from evaluation.models import Assignment, Campaign, Reviewer, ReviewItem, TunedGuess
from ftplatform.errors import DomainError


def question(reviewer: Reviewer) -> Assignment | None:
    """The pair to ask about.

    None while the reviewer is still rating, after they have answered, and in campaigns without the question. The
    question comes last because it makes reviewers watch for the tuned model.
    """
    campaign = reviewer.campaign
    through = reviewer.status == Reviewer.Status.COMPLETED or campaign.is_over
    if not campaign.ask_tuned or not through or TunedGuess.objects.filter(reviewer=reviewer).exists():
        return None
    rated = reviewer.assignments.filter(
        status=Assignment.Status.RATED, item__kind=ReviewItem.Kind.REAL, rating__isnull=False
    )
    return rated.order_by("-rating__submitted_at", "-pk").first()


def guess(*, reviewer: Reviewer, side: str) -> TunedGuess:
    """Store the answer. A second answer changes nothing. Raises DomainError `invalid_guess`, `no_question`."""
    if side not in TunedGuess.Side.values:
        raise DomainError("invalid_guess", "Choose left, right, or that you cannot tell.", status=400)
    stored = TunedGuess.objects.filter(reviewer=reviewer).first()
    if stored is not None:
        return stored
    pair = question(reviewer)
    if pair is None:
        raise DomainError("no_question", "This question is not open to you.")
    try:
        with transaction.atomic():
            return TunedGuess.objects.create(reviewer=reviewer, assignment=pair, side=side)
    except IntegrityError:
        return TunedGuess.objects.get(reviewer=reviewer)


def summary(campaign: Campaign) -> dict[str, Any]:
    """{asked, unsure, definite, right, share, ci_low, ci_high, p_value} of the guesses, without simulated reviewers.

    Share and exact 95 % interval (Clopper and Pearson 1934) are None without a definite guess.
    """
    rows = TunedGuess.objects.filter(reviewer__campaign=campaign, reviewer__is_simulated=False).values_list(
        "side", "assignment__candidate_left"
    )
    definite = [
        (side == TunedGuess.Side.LEFT) == left for side, left in rows if side != TunedGuess.Side.UNSURE
    ]
    result: dict[str, Any] = {
        "asked": len(rows),
        "unsure": len(rows) - len(definite),
        "definite": len(definite),
        "right": sum(definite),
        "share": None,
        "ci_low": None,
        "ci_high": None,
        "p_value": None,
    }
    if definite:
        test = binomtest(sum(definite), len(definite), 0.5)
        interval = test.proportion_ci(0.95, method="exact")
        result |= {
            "share": sum(definite) / len(definite),
            "ci_low": float(interval.low),
            "ci_high": float(interval.high),
            "p_value": float(test.pvalue),
        }
    return result
