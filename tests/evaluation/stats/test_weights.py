import numpy as np
import pytest

from evaluation.stats.weights import choose_weights, prompt_weights
from tests.evaluation.stats.crossed import design


def test_every_prompt_weighs_the_same():
    prompt = np.array([0, 0, 0, 1])
    assert prompt_weights(prompt) == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2])


def test_even_workloads_keep_plain_weights():
    prompt, reviewer = design(np.random.default_rng(0), 100, 3, 20)
    found = choose_weights(prompt, reviewer)
    assert not found.balanced
    assert found.values == pytest.approx(np.full(300, 1 / 300))
    assert 17 < found.effective_reviewers < 20


def test_uneven_workloads_are_balanced_inside_prompts_only():
    prompt, reviewer = design(np.random.default_rng(0), 100, 3, 20, skewed=True)
    found = choose_weights(prompt, reviewer)
    assert found.balanced
    assert np.bincount(prompt, found.values) == pytest.approx(np.full(100, 0.01))
    workload = np.bincount(reviewer)[reviewer]
    same = prompt == 0
    order = np.argsort(workload[same])
    assert (np.diff(found.values[same][order]) <= 0).all()
    assert found.values[same].max() > found.values[same].min()


def test_no_ratings_have_no_weights():
    nothing = np.zeros(0, dtype=np.int64)
    assert len(choose_weights(nothing, nothing).values) == 0
