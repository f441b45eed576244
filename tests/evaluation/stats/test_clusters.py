"""Dependence beyond prompts and reviewers: declared clusters of prompts, and workloads related to the answers."""

from dataclasses import replace

import numpy as np
import pytest

from evaluation.stats import report
from evaluation.stats.plan import Plan
from evaluation.stats.primary import win_score
from evaluation.stats.ratings import LOSS, TIE, WIN, slicing
from tests.evaluation.stats.crossed import from_outcomes, make_ratings, unchecked

analyse = unchecked(report.analyse)


def _codes(found):
    return {caution.code for caution in found.cautions}


def _topics(seed):
    """Ten topics with an effect of their own, ten prompts each, nothing that differs on average."""
    rng = np.random.default_rng(seed)
    ratings = make_ratings(prompts=100, reviewers=20, seed=seed, shares=(0.1, 0.05))
    latent = 0.5 * rng.standard_normal(10)[ratings.prompt % 10] + rng.standard_normal(300)
    outcome = np.where(latent > 0.3, WIN, np.where(latent < -0.3, LOSS, TIE))
    topic = slicing([f"topic {p % 10}" for p in ratings.prompt])
    return replace(ratings, outcome=outcome, slices={"topic": topic})


def test_topics_declared_as_clusters_keep_the_level():
    """A control: undeclared, the same topics make false claims several times as often as stated."""
    declared, undeclared = 0, 0
    for seed in range(120):
        ratings = _topics(seed)
        undeclared += (win_score(ratings).p_value() or 0) <= 0.05
        declared += (win_score(ratings.grouped_by("topic")).p_value() or 0) <= 0.05
    assert declared <= 12  # 5 % are 6, with a standard error of 2.4
    assert undeclared >= 18


def test_clusters_are_declared_in_the_plan_and_said():
    ratings = _topics(1)
    found, plain = analyse(ratings, Plan(cluster="topic")), analyse(ratings, Plan())
    assert found.primary.estimate == pytest.approx(plain.primary.estimate)
    assert found.primary.n_prompts == plain.primary.n_prompts == 100
    assert found.primary.ci_high - found.primary.ci_low > plain.primary.ci_high - plain.primary.ci_low
    assert found.primary.mixed_model is None
    assert "the same 'topic' were treated as one cluster" in found.methods
    assert "few_clusters" not in _codes(found)
    assert "no_clusters" in _codes(analyse(ratings, Plan(cluster="customer")))
    five = replace(ratings, slices={"topic": slicing([f"t{p % 5}" for p in ratings.prompt])})
    assert "few_clusters" in _codes(analyse(five, Plan(cluster="topic")))
    untagged = replace(ratings, slices={"topic": slicing([None] * 299 + ["a"])})
    assert len(np.unique(untagged.grouped_by("topic").group)) == 100 + 1


def test_a_workload_that_depends_on_the_answers_is_a_caution():
    """Reviewers who saw losses stopped early."""
    rows, rng = [], np.random.default_rng(0)
    for reviewer in range(16):
        happy = reviewer % 2
        for prompt in range(20 if happy else 6):
            rows.append((prompt, reviewer, WIN if rng.random() < (0.85 if happy else 0.2) else LOSS))
    assert "informative_workload" in _codes(analyse(from_outcomes(rows), Plan()))
    assert "informative_workload" not in _codes(analyse(make_ratings(shift=0.6), Plan()))
