"""Every sentence of a report against the numbers that it rests on, over a grid of campaigns."""

import re

import pytest

from evaluation.stats.plan import ANALYSIS_VERSION
from tests.evaluation.stats.campaigns import all_cases

NUMBER = r"(?:[<>] )?(\d+(?:\.\d+)?) %"


@pytest.fixture(scope="module")
def cases():
    return dict(all_cases())


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
        case.report.primary.n_reviewers > 1
        and case.report.reviewers.largest_share > max(0.15, 1.5 / case.report.primary.n_reviewers)
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


# They state no number of the report: a count of ratings, names, or a version.
WITHOUT = {"simulated", "unplanned_criteria"}
# Limits that a sentence names.
LIMITS = {5, 10, 30, 50, 80, 95}


def _at(document, path):
    """The value at a path of the report's JSON; a part of a list is found by its name."""
    for part in path.split("."):
        if isinstance(document, list):
            document = next(one for one in document if one["name"] == part)
        else:
            document = document[part]
    return document


def test_every_sentence_carries_the_numbers_of_the_report_that_it_rests_on(cases):
    for name, case in cases.items():
        report = case.report.to_json()
        for premise in report["premises"]:
            if premise["path"].partition(".")[0] in report:
                assert premise["value"] == _at(report, premise["path"]), (name, premise)
        carried = {premise["sentence"] for premise in report["premises"]}
        assert carried == {"sentence", *(one["code"] for one in report["cautions"])} - WITHOUT, name


def test_every_number_of_a_caution_is_among_its_premises(cases):
    """As a count, a share in per cent, or a value rounded as the sentence rounds it."""
    checked = 0
    for name, case in cases.items():
        for caution in case.report.cautions:
            values = [one.value for one in case.report.premises if one.sentence == caution.code]
            text = re.sub(r"AC1|'[^']*'", "", caution.message).replace("−", "-").replace(",", "")
            for number in re.findall(r"-?\d+(?:\.\d+)?(?:e-\d+)?", text) if values else ():
                digits = len(number.partition(".")[2])
                near = (abs(float(number) - unit * value) for value in values for unit in (1, 100))
                is_known = min(near) <= 0.5 * 10**-digits + 1e-9
                assert is_known or float(number) in LIMITS or caution.code == "analysis_updated", (
                    name,
                    caution,
                )
                checked += 1
    assert checked > 100


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
