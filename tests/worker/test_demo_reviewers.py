"""The demo's simulated reviewers take the time that their texts ask for, so that no report calls them too fast."""

import random

import pytest

from evaluation.review.selectors import reviewers as selectors
from evaluation.stats.reviewers import flagged, reviewer_quality
from tests import factories
from worker.demo import reviewers
from worker.ml.demo.cases import generate_cases

pytestmark = pytest.mark.django_db
PAIRS, OVERLAP = 24, 3


@pytest.fixture
def work():
    """What four simulated reviewers did on prompts and answers as long as the demo's."""
    run = factories.comparison(factories.user(), PAIRS)
    cases = generate_cases(PAIRS)
    for prompt, case in zip(run.prompt_set.prompts.all(), cases, strict=True):
        prompt.instruction, prompt.input = case["instruction"], case["input"]
        prompt.save(update_fields=["instruction", "input"])
    for response in run.responses.select_related("prompt"):
        response.text = " ".join([str(cases[response.prompt_id % PAIRS]["output"])] * 6)
        response.save(update_fields=["text"])
    campaign = factories.campaign(run.created_by, PAIRS, OVERLAP, comparison=run)
    rated = reviewers.rate(
        campaign=campaign, target=PAIRS * OVERLAP, panel=4, seed=20, tick=lambda done: None
    )
    assert rated == PAIRS * OVERLAP
    assert all(one.is_simulated for one in campaign.reviewers.all())
    return selectors.work(campaign)


def test_nobody_is_flagged_as_too_fast(work):
    quality = reviewer_quality(work)
    assert len(quality) == 4 and all(one.n_ratings >= 10 for one in quality)
    assert not flagged(quality, ("too_fast",))
    assert all(100 < (one.words_per_minute or 0) < 400 for one in quality)


def test_half_a_minute_whatever_the_length_is_flagged(work):
    """The control: with the times that were drawn before, the rule would see them."""
    work.active_ms[:] = 24_500
    assert flagged(reviewer_quality(work), ("too_fast",))


def test_the_same_seed_gives_the_same_times():
    run = factories.comparison(factories.user(), 1)
    pair = run.pairs.select_related("prompt", "baseline_response", "candidate_response").get()
    drawn = {reviewers._active_ms(pair, 240.0, random.Random("x")) for _ in range(2)}
    assert len(drawn) == 1 and drawn.pop() > 1000
