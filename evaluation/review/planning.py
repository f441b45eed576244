"""The sample size of a campaign: what a design can detect, what a difference needs, and the cost of both.

Differences of the win score are shares of 1; pages show percentage points. Formulas are in `evaluation.stats.power`.
"""

from dataclasses import asdict, dataclass
from typing import Any

from evaluation.review.selectors.reviewers import Calibration
from evaluation.stats import power as stats
from ftplatform.text.numbers import count, decimal, duration, percent

WANTED = 0.8
EFFECTS = tuple(points / 200 for points in range(2, 51))  # 1 to 25 percentage points, in steps of 0.5
PANELS = {"experts": stats.EXPERTS, "crowd": stats.CROWD}
SECONDS = 90.0  # per rating of two responses with three scales, until a pilot gives a better value


@dataclass(frozen=True)
class Question:
    """A design to evaluate. `effect` and the differences in the answer are shares of the win score."""

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
    """The power of this design by effect, the difference it can detect, what the target effect needs, and the cost of
    both."""
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
    """The cheapest design with this overlap that detects the target effect, with more reviewers if these are too few.

    New prompts are worth more than repeats, so the overlap stays. Below the reviewer floor no number of prompts is
    enough.
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
    """The smallest difference that the available pairs can detect if this panel rates all of them."""
    if not question.pairs_available or question.pairs_available < 2:
        return None
    overlap = min(question.overlap, question.reviewers)
    design = stats.Design(question.pairs_available, overlap, question.reviewers)
    detectable = stats.minimum_detectable_effect(
        design, question.variation, wanted=WANTED, alpha=question.alpha
    )
    return {"pairs": question.pairs_available, "detectable": detectable}


def _cost(question: Question, ratings: int, reviewers: int) -> dict[str, Any]:
    hours = ratings * question.seconds / 3600
    return {
        "ratings": ratings,
        "hours": hours,
        "hours_each": hours / reviewers,
        "pay": hours * question.hourly_pay if question.hourly_pay else None,
    }


def sentences(question: Question, result: dict[str, Any]) -> list[str]:
    """The answer in sentences."""
    points = f"{100 * question.effect:.3g}"
    needed, largest = result["needed"], result["largest"]
    text = [
        f"With {question.pairs:,} pairs, {question.overlap} ratings per pair and {question.reviewers:,} reviewers, the "
        f"chance of detecting a true difference of {points} percentage points of the win score is "
        f"{100 * result['power']:.0f} %.",
        f"The smallest difference detected with a chance of 80 % is {100 * result['detectable']:.1f} points.",
    ]
    if needed["pairs"] is None:
        text.append(
            f"No realistic campaign detects {points} points with this panel: even 100,000 pairs rated by "
            f"{needed['reviewers']:,} reviewers are too few."
        )
    else:
        more = needed["reviewers"] > question.reviewers
        text.append(
            f"To detect {points} points you need {needed['ratings']:,} ratings: {needed['pairs']:,} pairs with "
            f"{question.overlap} ratings each, by {needed['reviewers']:,} reviewers"
            + (", because the ratings of fewer reviewers vary too much" if more else "")
            + f". This takes about {needed['hours']:.1f} hours of reading, {needed['hours_each']:.1f} per reviewer."
        )
    if largest is not None:
        text.append(
            f"The comparison has {largest['pairs']:,} pairs. Reviewing all of them with this panel detects differences "
            f"of {100 * largest['detectable']:.1f} points or more."
        )
    return text


def assumption_sentence(variation: dict[str, float], *, has_pilots: bool) -> str:
    """The assumptions behind the figures, and how to replace them. `variation` as in `answer`."""
    better = "Choose a pilot" if has_pilots else "Run a pilot of about 20 pairs"
    return (
        f"Assumed: ratings have a standard deviation of {decimal(variation['sd'])}; "
        f"{percent(variation['prompt_share'])} of their variance lies between prompts and "
        f"{percent(variation['reviewer_share'], 1)} between reviewers. {better} to use your own figures."
    )


def calibration_sentence(calibration: Calibration) -> str:
    """The pilot figures that the answer is based on."""
    start = f"From the pilot: {count(calibration.ratings)} ratings"
    if calibration.sd and calibration.prompt_share is not None and calibration.reviewer_share is not None:
        start += (
            f", standard deviation {decimal(calibration.sd)}, {percent(calibration.prompt_share)} of the variance "
            f"between prompts and {percent(calibration.reviewer_share)} between reviewers"
        )
    else:
        start += (
            ", too few or too similar to estimate their variation, so the assumptions for the panel apply"
        )
    pace = f"; {duration(calibration.seconds)} per rating" if calibration.seconds else ""
    return f"{start}{pace}. Estimates from a small pilot are rough, so plan some reserve."
