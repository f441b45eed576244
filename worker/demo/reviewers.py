"""Simulated reviewers, who give most of the ratings in the demo's campaign through the same services as people.

They are marked as simulated, and every report with their ratings says so. Each rates by how much of the expected
output a response got right, with noise and individual bias, so that agreement and intervals look like those of a
small panel. The active time of a rating is simulated too: the time to read its texts at a person's pace, and some
seconds to decide. They show how the product works; they say nothing about how people would judge.
"""

import math
import random
from collections.abc import Callable
from typing import Any

from evaluation.models import Assignment, Campaign, Pair, Response, Reviewer
from evaluation.review.services import assignments, invitations, ratings

NOISE = 0.35
TIE_BAND = 0.25
BAD = 0.45
WORDS_PER_MINUTE = 240
SECONDS_TO_DECIDE = 8


def rate(*, campaign: Campaign, target: int, panel: int, seed: int, tick: Callable[[int], None]) -> int:
    """Let `panel` simulated reviewers rate in turn until the campaign has `target` ratings. Return how many it has."""
    rated = campaign.ratings.filter(kind="real").count()
    reviewers = _panel(campaign, panel)
    while rated < target and reviewers:
        for reviewer in list(reviewers):
            if rated >= target:
                break
            current = assignments.next_for(reviewer=reviewer)
            if current is None:
                reviewers.remove(reviewer)
                continue
            _rate(reviewer, current, seed)
            rated += 1
            tick(rated)
    return rated


def _panel(campaign: Campaign, size: int) -> list[Reviewer]:
    """The campaign's simulated reviewers. Missing ones join through its own invitation."""
    known = list(campaign.reviewers.filter(is_simulated=True).select_related("campaign"))
    code = campaign.invites.earliest("id").code
    joined = [invitations.join(code=code, is_simulated=True)[0] for _ in range(size - len(known))]
    return known + joined


def _rate(reviewer: Reviewer, current: Assignment, seed: int) -> None:
    pair = current.item.pair
    rng = random.Random(f"{seed}/{reviewer.number}/{pair.prompt.key}")
    left, right = (
        (pair.candidate_response, pair.baseline_response)
        if current.candidate_left
        else (pair.baseline_response, pair.candidate_response)
    )
    habits = random.Random(f"{seed}/{reviewer.number}")
    leaning, severity = habits.gauss(0, 0.05), habits.gauss(0, 0.8)
    pace = WORDS_PER_MINUTE * habits.lognormvariate(0, 0.15)
    felt_left = _quality(left) + rng.gauss(0, NOISE) + leaning
    felt_right = _quality(right) + rng.gauss(0, NOISE)
    answer = ratings.Answer(
        preference=_preference(felt_left, felt_right),
        scores=_scores(reviewer.campaign.rubric, felt_left, felt_right, severity, rng),
        answers=_outcomes(reviewer.campaign.rubric, felt_left, felt_right),
        active_ms=_active_ms(pair, pace, rng),
    )
    ratings.submit(reviewer=reviewer, token=current.token, answer=answer)


def _active_ms(pair: Pair, pace: float, rng: random.Random) -> int:
    """Milliseconds to read the prompt and both responses at `pace` words per minute, and to decide."""
    texts = (
        *pair.prompt.content.values(),
        pair.baseline_response.text,
        pair.candidate_response.text,
    )
    words = sum(len(str(text).split()) for text in texts)
    seconds = 60 * words / pace + rng.lognormvariate(math.log(SECONDS_TO_DECIDE), 0.4)
    return int(1000 * seconds * rng.lognormvariate(0, 0.15))


def _quality(response: Response) -> float:
    """The share of expected fields that match, from 0 to 1; similar wording counts in part."""
    fields = (response.match or {}).get("fields", [])
    if not fields:
        return 0.0
    points = [
        field["similarity"] if field["similarity"] is not None else field["status"] == "match"
        for field in fields
    ]
    return float(sum(points) / len(points))


def _preference(left: float, right: float) -> str:
    if abs(left - right) < TIE_BAND:
        return "both_bad" if max(left, right) < BAD else "tie"
    return "left" if left > right else "right"


def _outcomes(rubric: dict[str, Any], left: float, right: float) -> dict[str, dict[str, bool]]:
    """Yes or no for each side: a good response resolves the case, and a bad one needs escalation."""
    judged = {"resolved": lambda felt: felt > BAD + 0.2, "escalation": lambda felt: felt < BAD}
    keys = [field["key"] for field in rubric["fields"] if field["kind"] == "yes_no"]
    return {key: {"left": judged[key](left), "right": judged[key](right)} for key in keys if key in judged}


def _scores(
    rubric: dict[str, Any], left: float, right: float, severity: float, rng: random.Random
) -> dict[str, dict[str, int]]:
    def points(felt: float, low: int, high: int) -> int:
        middle = low + (high - low) * (0.25 + 0.6 * felt)
        return min(high, max(low, round(middle - severity + rng.gauss(0, 0.9))))

    return {
        field["key"]: {
            "left": points(left, field["minimum"], field["maximum"]),
            "right": points(right, field["minimum"], field["maximum"]),
        }
        for field in rubric["fields"]
        if field["kind"] == "scale" and field["per"] == "side"
    }
