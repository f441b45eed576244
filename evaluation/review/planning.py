"""What a campaign needs to find a difference, and what one of a given size can find; in people, hours and money.

The win score's differences are in shares of 1; pages show percentage points. Formulas are in `evaluation.stats.power`.
"""

from dataclasses import asdict, dataclass
from typing import Any

from evaluation.stats import power as stats

WANTED = 0.8
EFFECTS = tuple(points / 200 for points in range(2, 51))  # 1 to 25 percentage points, in halves
PANELS = {"experts": stats.EXPERTS, "crowd": stats.CROWD}
SECONDS = 90.0  # a rating of two responses with three scales, until a pilot says better


@dataclass(frozen=True)
class Question:
    """A design to judge. `effect` and the answer's differences are in shares of the win score."""

    pairs: int
    overlap: int
    reviewers: int
    effect: float = 0.1
    variation: stats.Variation = stats.CROWD
    seconds: float = SECONDS
    hourly_pay: float | None = None
    alpha: float = 0.05
    pairs_available: int | None = None


def answer(question: Question) -> dict[str, Any]:
    """Power of this design over effects, what it can detect, what the wanted effect needs, and what both cost."""
    design = stats.Design(question.pairs, min(question.overlap, question.reviewers), question.reviewers)
    variation, alpha = question.variation, question.alpha
    curve = [{"effect": e, "power": stats.power(e, design, variation, alpha)} for e in EFFECTS]
    return {
        "variation": asdict(variation),
        "curve": curve,
        "power": stats.power(question.effect, design, variation, alpha),
        "detectable": stats.minimum_detectable_effect(design, variation, wanted=WANTED, alpha=alpha),
        "cost": _cost(question, design.ratings, design.reviewers),
        "needed": _needed(question),
        "largest": _largest(question),
    }


def _needed(question: Question) -> dict[str, Any]:
    """The cheapest design with this overlap that finds the wanted effect, with more reviewers where these are too few.

    New prompts beat repeats, so the overlap stays; below the reviewer floor no number of prompts is enough.
    """
    reviewers = max(question.reviewers, question.overlap)
    for _ in range(40):
        pairs = stats.prompts_needed(
            question.effect,
            question.variation,
            overlap=question.overlap,
            reviewers=reviewers,
            wanted=WANTED,
            alpha=question.alpha,
            at_most=100_000,
        )
        if pairs is not None:
            ratings = pairs * question.overlap
            return {"pairs": pairs, "reviewers": reviewers, **_cost(question, ratings, reviewers)}
        reviewers = max(reviewers + 1, round(reviewers * 1.15))
    return {"pairs": None, "reviewers": reviewers}


def _largest(question: Question) -> dict[str, Any] | None:
    """What the present pool can detect at most: every pair there is, rated by this panel."""
    if not question.pairs_available or question.pairs_available < 2:
        return None
    overlap = min(question.overlap, question.reviewers)
    design = stats.Design(question.pairs_available, overlap, question.reviewers)
    found = stats.minimum_detectable_effect(design, question.variation, wanted=WANTED, alpha=question.alpha)
    return {"pairs": question.pairs_available, "detectable": found}


def _cost(question: Question, ratings: int, reviewers: int) -> dict[str, Any]:
    hours = ratings * question.seconds / 3600
    return {
        "ratings": ratings,
        "hours": hours,
        "hours_each": hours / reviewers,
        "pay": hours * question.hourly_pay if question.hourly_pay else None,
    }


def sentences(question: Question, found: dict[str, Any]) -> list[str]:
    """The same in words."""
    points = 100 * question.effect
    said = [
        f"With {question.pairs:,} pairs, {question.overlap} ratings each and {question.reviewers:,} reviewers, a true "
        f"difference of {points:.3g} percentage points of the win score is found with a chance of "
        f"{100 * found['power']:.0f} %.",
        f"The smallest difference found with a chance of 80 % is {100 * found['detectable']:.1f} points.",
    ]
    needed = found["needed"]
    if needed["pairs"] is None:
        said.append(
            f"No campaign within reason finds {points:.3g} points with this panel: at {needed['reviewers']:,} "
            "reviewers even 100,000 pairs are too few."
        )
    else:
        more = needed["reviewers"] > question.reviewers
        said.append(
            f"For {points:.3g} points you need {needed['pairs']:,} pairs with {question.overlap} ratings each, so "
            f"{needed['ratings']:,} ratings by {needed['reviewers']:,} reviewers"
            + (", because fewer disagree too much with one another to be enough" if more else "")
            + f": about {needed['hours']:.1f} hours of reading, {needed['hours_each']:.1f} for each."
        )
    if (largest := found["largest"]) is not None:
        said.append(
            f"The comparison has {largest['pairs']:,} pairs. Reviewing all of them with this panel finds "
            f"{100 * largest['detectable']:.1f} points and more."
        )
    return said
