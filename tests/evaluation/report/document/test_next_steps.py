"""The section "What to do now": true for the result that it stands in."""

from dataclasses import replace

import numpy as np
import pytest

from evaluation.report.document.model import Items
from evaluation.report.document.next_steps import next_steps
from evaluation.stats import report
from evaluation.stats.plan import Plan
from evaluation.stats.ratings import LOSS, WIN, slicing
from tests.evaluation.stats.crossed import from_outcomes, make_ratings


def _titles(found):
    section = next_steps(found)
    assert section is not None
    (items,) = section.blocks
    assert isinstance(items, Items)
    return {item.title: " ".join(item.lines) for item in items.items}


@pytest.mark.parametrize(
    ("shift", "title"),
    [
        (0.8, "Release the candidate"),
        (-0.8, "Do not release the candidate"),
        (0.0, "Plan a new campaign, or stop here"),
    ],
)
def test_the_verdict_decides(shift, title):
    assert list(_titles(report.analyse(make_ratings(shift=shift), Plan()))) == [title]


def test_nothing_rated_has_no_next_step():
    assert next_steps(report.analyse(from_outcomes([]), Plan())) is None


def test_simulated_ratings_decide_nothing_and_come_with_the_advice_to_ask_people():
    found = report.analyse(replace(make_ratings(shift=0.8), simulated=True), Plan())
    said = _titles(found)
    assert found.verdict == "better" and "Release the candidate" not in said
    assert "supports no decision" in said["Repeat this with people"]


@pytest.mark.parametrize(
    ("shift", "title", "reason"),
    [
        (2.0, "Release the candidate", "has settled the question"),
        (0.0, "Go on", "leaves the question open"),
    ],
)
def test_an_interim_analysis_stops_a_campaign_or_lets_it_go_on(shift, title, reason):
    plan = Plan(looks=(0.5, 1.0))
    ((said, text),) = _titles(report.analyse(make_ratings(shift=shift), plan, plan.look(1))).items()
    assert said == title and reason in text


def test_what_went_down_and_weak_slices_are_named():
    ratings = make_ratings(prompts=120, reviewers=20, shift=0.8, criteria=("tone",))
    before, _ = ratings.criteria["tone"]
    weak = ratings.prompt % 6 == 0
    lower = replace(
        ratings,
        criteria={"tone": (before, before - 1.0 - (np.arange(len(before)) % 2))},
        outcome=np.where(weak, LOSS, np.where(ratings.outcome == LOSS, WIN, ratings.outcome)),
        slices={"topic": slicing([f"topic {p % 6}" for p in ratings.prompt])},
    )
    found = report.analyse(lower, Plan())
    said = _titles(found)
    assert found.verdict == "better"
    assert said["Look at what went down"] == "The candidate is lower on: tone."
    assert "topic: topic 0" in said["Inspect these slices"]
    assert "topic 1" not in said["Inspect these slices"]
    worst = next(one for one in found.slices.each if one.label == "topic 0")
    assert worst.pooled is not None and worst.estimate is not None
    assert worst.estimate < worst.pooled < 0.5
