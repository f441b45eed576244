"""Every sentence of a report against the numbers that it rests on, over a grid of campaigns."""

import re
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pytest

from evaluation.stats.plan import ANALYSIS_VERSION, Look, Plan
from evaluation.stats.ratings import LOSS, TIE, WIN, Ratings, slicing
from evaluation.stats.report import Report, analyse
from tests.evaluation.stats.crossed import make_ratings

NUMBER = r"(?:[<>] )?(\d+(?:\.\d+)?) %"


@dataclass(frozen=True)
class Case:
    ratings: Ratings
    plan: Plan
    look: Look | None
    report: Report


def _shapes():
    for (prompts, overlap, reviewers), shift in product(
        [(2, 2, 2), (30, 3, 3), (40, 3, 12), (300, 2, 40)], [-0.9, 0.0, 0.1, 0.9]
    ):
        yield (
            f"{prompts}x{overlap}x{reviewers} {shift}",
            make_ratings(
                prompts=prompts, overlap=overlap, reviewers=reviewers, shift=shift, criteria=("tone",)
            ),
        )
    base = make_ratings(criteria=("tone",))
    n = len(base)
    for name, outcome in (("wins", WIN), ("losses", LOSS), ("ties", TIE)):
        yield f"all {name}", replace(base, outcome=np.full(n, outcome))
    yield "one rating", base.subset(np.arange(n) == 0)
    yield "one prompt", base.subset(base.prompt == 0)
    yield "one reviewer", base.subset(base.reviewer == 0)
    yield "no rating", base.subset(np.zeros(n, dtype=bool))
    heavy = np.concatenate([np.zeros(40, dtype=np.int64), np.repeat(np.arange(1, 30), 2)])
    yield (
        "one prompt with many ratings",
        Ratings(heavy, np.arange(98) % 49, np.where(heavy == 0, LOSS, WIN), np.arange(98) % 2 == 0),
    )
    yield "left only", replace(base, candidate_left=np.ones(n, dtype=bool))
    left = base.candidate_left
    yield "side preferred", replace(base, outcome=np.where(np.arange(n) % 4, np.where(left, WIN, LOSS), TIE))
    yield "unknown sides", replace(base, sides_known=False)
    yield "simulated", replace(base, simulated=True)
    yield "topics", replace(base, slices={"topic": slicing([f"t{p % 4}" for p in base.prompt])})
    yield "skewed", make_ratings(prompts=100, reviewers=20, skewed=True)


PLANS = {
    "plain": (Plan(), None),
    "wide margin": (Plan(margin=0.2), None),
    "file": (Plan(frozen=False), None),
    "interim": (Plan(looks=(0.5, 1.0), planned_ratings=10_000), 1),
    "final": (Plan(looks=(0.5, 1.0)), 2),
    "closed early": (Plan(planned_ratings=10_000), None),
    "watched": (Plan(watch_se=0.05), None),
    "stages": (Plan(extensions=1), None),
    "clusters": (Plan(cluster="topic"), None),
    "old": (Plan(analysis_version=1), None),
}


# The other shapes have the first two plans only.
EVERY_PLAN = ("40x3x12 0.9", "40x3x12 0.1", "300x2x40 0.0", "all ties", "no rating", "topics")


def _cases():
    for (shape, ratings), (name, (plan, number)) in product(_shapes(), PLANS.items()):
        if shape not in EVERY_PLAN and name not in ("plain", "wide margin"):
            continue
        look = plan.look(number) if number else None
        yield f"{shape}, {name}", Case(ratings, plan, look, analyse(ratings, plan, look))


@pytest.fixture(scope="module")
def cases():
    return dict(_cases())


def _shown(value, text):
    """Whether `text` is `value` as a percentage, rounded to the digits that it has."""
    if text in ("0.1", "99.9") and min(value, 1 - value) < 0.0005:
        return True  # "< 0.1 %" and "> 99.9 %"
    digits = len(text.partition(".")[2])
    return abs(100 * value - float(text)) <= 0.5 * 10**-digits + 1e-9


def test_the_first_sentence_states_its_own_numbers(cases):
    for name, case in cases.items():
        primary, sentence = case.report.primary, case.report.sentence
        found = re.search(rf"win score of {NUMBER}", sentence)
        assert (found is None) == (primary.estimate is None), name
        if found is None:
            continue
        assert _shown(primary.estimate, found[1]), (name, sentence)
        inside = re.search(rf"(repeated )?(\d+) % interval {NUMBER} to {NUMBER}", sentence)
        assert (inside is None) == (primary.problem is not None), (name, sentence)
        if inside is None:
            continue
        assert bool(inside[1]) == primary.repeated_interval, (name, sentence)
        narrow = case.report.verdict == "equivalent"
        low, high = (
            (primary.equivalence_low, primary.equivalence_high)
            if narrow
            else (primary.ci_low, primary.ci_high)
        )
        assert _shown(low, inside[3]) and _shown(high, inside[4]), (name, sentence)
        assert inside[2] == ("90" if narrow and not primary.repeated_interval else "95"), (name, sentence)


def test_the_first_sentence_claims_what_the_interval_supports(cases):
    seen = set()
    for name, case in cases.items():
        primary, verdict, margin = case.report.primary, case.report.verdict, case.plan.margin
        seen.add(verdict)
        sentence = case.report.sentence
        enough = primary.n_reviewers >= 5 and primary.problem is None
        if primary.ci_low is None or not enough:
            assert verdict == "inconclusive", name
            continue
        claims = {
            "better": primary.ci_low > 0.5,
            "worse": primary.ci_high < 0.5,
            "equivalent": primary.equivalence_low > 0.5 - margin and primary.equivalence_high < 0.5 + margin,
            "not_worse": primary.ci_low > 0.5 - margin,
        }
        expected = next((one for one, holds in claims.items() if holds), "inconclusive")
        assert verdict == expected, (name, sentence)
        assert ("may be better or worse" in sentence) == (verdict == "inconclusive"), name
    assert seen == {"better", "worse", "equivalent", "not_worse", "inconclusive"}


def _side_caution(report):
    found = report.position
    return found is not None and found.p_value is not None and found.p_value <= 0.05


def _unbalanced(report):
    found = report.position
    if found is None or found.candidate_left_share is None:
        return False
    return not 0.45 <= found.candidate_left_share <= 0.55 and found.balance_p_value <= 0.01


def _weighting(report):
    estimate, plain = report.primary.estimate, report.primary.mean_over_ratings
    if estimate is None:
        return False
    return (estimate - 0.5) * (plain - 0.5) < 0 or abs(estimate - plain) > report.primary.margin


# Each caution is there exactly if this holds. Those that need more than the report are tested elsewhere.
PREMISES = {
    "simulated": lambda case: case.ratings.simulated,
    "few_reviewers": lambda case: 0 < case.report.primary.n_reviewers < 10,
    "few_prompts": lambda case: 0 < case.report.primary.n_prompts < 30,
    "dominant_reviewer": lambda case: (
        case.report.primary.n_reviewers > 1 and case.report.reviewers.largest_share > 0.15
    ),
    "uneven_workloads": lambda case: case.report.primary.reviewer_balanced,
    "weighting_matters": lambda case: _weighting(case.report),
    "no_inference": lambda case: case.report.primary.problem is not None,
    "interim_look": lambda case: case.look is not None and not case.look.is_final,
    "before_planned_end": lambda case: (
        case.look is None and case.plan.planned_ratings is not None and len(case.ratings) < 10_000
    ),
    "small_difference": lambda case: (
        case.report.verdict in ("better", "worse")
        and abs(case.report.primary.estimate - 0.5) < case.plan.margin
    ),
    "no_overlap": lambda case: len(case.ratings) > 0 and case.report.agreement.n_prompts == 0,
    "low_agreement": lambda case: (
        len(case.ratings) > 0
        and case.report.agreement.alpha is not None
        and case.report.agreement.alpha < 0.2
        and case.report.agreement.ac1 < 0.2
    ),
    "position_effect": lambda case: len(case.ratings) > 0 and _side_caution(case.report),
    "unbalanced_sides": lambda case: len(case.ratings) > 0 and _unbalanced(case.report),
    "analysis_updated": lambda case: case.plan.analysis_version != ANALYSIS_VERSION,
    "few_clusters": lambda case: case.plan.cluster in case.ratings.slices,
    "no_clusters": lambda case: (
        bool(case.plan.cluster) and len(case.ratings) > 0 and case.plan.cluster not in case.ratings.slices
    ),
}


@pytest.mark.parametrize("code", PREMISES)
def test_a_caution_is_given_exactly_if_its_premise_holds(cases, code):
    given = {name for name, case in cases.items() if code in {one.code for one in case.report.cautions}}
    expected = {name for name, case in cases.items() if PREMISES[code](case)}
    assert given == expected
    assert 0 < len(given) < len(cases)


def test_only_frozen_plans_are_called_frozen(cases):
    for name, case in cases.items():
        frozen = case.plan.frozen
        assert (case.report.plan_hash is not None) == frozen, name
        assert ("frozen plan" in case.report.methods) == frozen, name
        assert "the plan counts" not in case.report.sentence or frozen, name


def test_nothing_sounds_like_a_person_count(cases):
    """Percentages, never "87 of 100 comparisons" of which there were 162."""
    for case in cases.values():
        texts = [case.report.sentence, case.report.methods, *(one.message for one in case.report.cautions)]
        assert not any(re.search(r"\d (of|in) 100\b", text) for text in texts)


def test_the_advice_is_never_to_add_ratings_and_test_again(cases):
    for name, case in cases.items():
        if case.report.verdict != "inconclusive":
            continue
        if case.report.stages is not None and case.report.stages.extensible:
            assert "one more stage" in case.report.sentence and "Do not add ratings" in case.report.sentence
            continue
        new_campaign = "A new campaign" in case.report.sentence
        assert new_campaign != ("Collect ratings from at least 10 reviewers" in case.report.sentence), name
        assert not new_campaign or "Do not add ratings to this one" in case.report.sentence
