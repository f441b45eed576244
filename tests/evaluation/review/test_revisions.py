"""A pair in hand: fetched ahead, skipped, remarked on, drafted, revised; and the closing question."""

from datetime import timedelta

import pytest
from django.utils import timezone

from evaluation.models import Assignment, Campaign, Draft, Rating, Remark, Reviewer, ReviewItem, Revision
from evaluation.review.services import (
    assignments,
    blinding_check,
    campaigns,
    drafts,
    ratings,
    reported_problems,
)
from ftplatform.errors import DomainError
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return factories.user("manager")


@pytest.fixture
def campaign(owner):
    return factories.campaign(owner, pairs=4, overlap=2)


@pytest.fixture
def reviewer(campaign):
    return factories.reviewer(campaign)


def rate(reviewer, lease, **changes):
    answer = factories.answer(reviewer.campaign, **changes)
    return ratings.submit(reviewer=reviewer, token=lease.token, answer=answer)


def code_of(call, **values):
    with pytest.raises(DomainError) as caught:
        call(**values)
    return caught.value.code


def test_the_pair_fetched_ahead_is_another_one_and_stays_the_same(reviewer):
    first = factories.lease(reviewer)
    ahead = assignments.next_for(reviewer=reviewer, after=first.token)
    assert ahead is not None and ahead.item_id != first.item_id
    assert assignments.next_for(reviewer=reviewer, after=first.token) == ahead
    assert assignments.next_for(reviewer=reviewer) == first
    rate(reviewer, first)
    assert assignments.next_for(reviewer=reviewer) == ahead


def test_nobody_holds_more_than_two_pairs(reviewer):
    first = factories.lease(reviewer)
    second = assignments.next_for(reviewer=reviewer, after=first.token)
    assert second and assignments.next_for(reviewer=reviewer, after=second.token) == first
    assert reviewer.assignments.count() == 2


def test_the_last_open_pair_is_not_fetched_ahead(owner):
    campaign = factories.campaign(owner, pairs=2, overlap=1)
    one, other = factories.reviewer(campaign), factories.reviewer(campaign)
    lease = factories.lease(one)
    assert assignments.next_for(reviewer=one, after=lease.token) is None
    assert factories.lease(other).item_id != lease.item_id


def test_a_cap_counts_what_is_in_hand(owner):
    campaign = factories.campaign(owner, pairs=4, overlap=2, max_per_reviewer=1)
    reviewer = factories.reviewer(campaign)
    assert assignments.next_for(reviewer=reviewer, after=factories.lease(reviewer).token) is None


def test_slots_of_pairs_fetched_ahead_come_back_when_their_reviewer_vanishes(owner):
    campaign = factories.campaign(owner, pairs=3, overlap=1)
    gone, other = factories.reviewer(campaign), factories.reviewer(campaign)
    assignments.next_for(reviewer=gone, after=factories.lease(gone).token)
    Assignment.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    rated = 0
    while (lease := assignments.next_for(reviewer=other)) is not None:
        rate(other, lease)
        rated += 1
    assert rated == 3


def test_a_skipped_pair_is_free_for_others_and_never_offered_again(owner):
    campaign = factories.campaign(owner, pairs=1, overlap=1)
    one, other = factories.reviewer(campaign), factories.reviewer(campaign)
    lease = factories.lease(one)
    for _ in range(2):
        reported_problems.skip(reviewer=one, token=lease.token, reason="language", text="")
    assert Remark.objects.count() == 1 and ReviewItem.objects.get().open_slots == 1
    assert assignments.next_for(reviewer=one) is None
    assert factories.lease(other).item_id == lease.item_id
    assert code_of(rate, reviewer=one, lease=lease) == "skipped"


def test_skipping_after_the_lease_ran_out_frees_no_second_slot(owner):
    campaign = factories.campaign(owner, pairs=1, overlap=1)
    reviewer = factories.reviewer(campaign)
    lease = factories.lease(reviewer)
    Assignment.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assignments.release_expired(campaign.pk)
    reported_problems.skip(reviewer=reviewer, token=lease.token, reason="language", text="")
    assert ReviewItem.objects.get().open_slots == 1


def test_what_cannot_be_skipped_says_why(campaign, reviewer):
    lease = factories.lease(reviewer)
    values = {"reviewer": reviewer, "token": lease.token, "reason": "language", "text": ""}
    assert code_of(reported_problems.skip, **values | {"reason": "bored"}) == "invalid_remark"
    assert code_of(reported_problems.skip, **values | {"reason": "other"}) == "invalid_remark"
    assert (
        code_of(reported_problems.skip, **values | {"reviewer": factories.reviewer(campaign)})
        == "unknown_assignment"
    )
    Campaign.objects.update(allow_skip=False)
    assert code_of(reported_problems.skip, **values) == "skip_not_allowed"
    Campaign.objects.update(allow_skip=True)
    rate(reviewer, lease)
    assert code_of(reported_problems.skip, **values) == "already_rated"


def test_a_reported_pair_stays_in_hand(reviewer):
    lease = factories.lease(reviewer)
    for text in ("first", "second"):
        reported_problems.report_problem(reviewer=reviewer, token=lease.token, reason="personal", text=text)
    assert Remark.objects.get().text == "second"
    assert factories.lease(reviewer) == lease and rate(reviewer, lease)


def test_a_draft_is_kept_for_its_pair_and_only_the_latest(reviewer):
    lease = factories.lease(reviewer)
    for comment in ("a", "b"):
        drafts.save(reviewer=reviewer, token=lease.token, content={"comment": comment})
    assert drafts.content(lease) == {"comment": "b"} and Draft.objects.count() == 1
    assert (
        code_of(drafts.save, reviewer=reviewer, token=lease.token, content={"c": "x" * 70_000})
        == "draft_too_large"
    )
    rate(reviewer, lease)
    assert drafts.save(reviewer=reviewer, token=lease.token, content={}) is None


def test_a_rating_is_revised_while_allowed_and_its_history_kept(campaign, reviewer):
    lease = factories.lease(reviewer)
    stored = rate(reviewer, lease)
    tie = factories.answer(campaign, preference="tie", comment="On second thoughts.")
    left = factories.answer(campaign, preference="left", comment="On second thoughts.")
    own = {"reviewer": reviewer, "token": lease.token}
    assert code_of(ratings.revise, **own, answer=tie) == "edit_closed"
    Campaign.objects.update(edit_minutes=10)
    for _ in range(2):
        assert ratings.revise(**own, answer=tie).pk == stored.pk
    assert Rating.objects.get().preference == "tie"
    assert Revision.objects.get().preference == "left"
    Rating.objects.update(submitted_at=timezone.now() - timedelta(minutes=11))
    assert code_of(ratings.revise, **own, answer=left) == "edit_closed"
    Campaign.objects.update(edit_minutes=None)
    assert ratings.revise(**own, answer=left).preference == "left"


def test_revising_asks_for_the_same_answers_as_rating(campaign, reviewer, owner):
    Campaign.objects.update(edit_minutes=None)
    lease = factories.lease(reviewer)
    own = {"reviewer": reviewer, "token": lease.token}
    assert code_of(ratings.revise, **own, answer=factories.answer(campaign)) == "not_rated"
    rate(reviewer, lease)
    assert code_of(ratings.revise, **own, answer=factories.answer(campaign, scores={})) == "invalid_rating"
    campaigns.close(campaign=campaign, user=owner, reason="done")
    assert (
        code_of(ratings.revise, **own, answer=factories.answer(campaign, preference="tie"))
        == "campaign_closed"
    )
    assert not Revision.objects.exists()


def test_who_is_through_is_asked_once_which_was_tuned(campaign, reviewer):
    lease = factories.lease(reviewer)
    rate(reviewer, lease)
    assert blinding_check.question(reviewer) is None
    assert code_of(blinding_check.guess, reviewer=reviewer, side="left") == "no_question"
    reviewer.status = Reviewer.Status.COMPLETED
    assert blinding_check.question(reviewer) == lease
    assert code_of(blinding_check.guess, reviewer=reviewer, side="candidate") == "invalid_guess"
    first = blinding_check.guess(reviewer=reviewer, side="left")
    assert blinding_check.guess(reviewer=reviewer, side="right") == first and first.side == "left"
    assert blinding_check.question(reviewer) is None


def test_guesses_are_compared_with_chance_by_the_exact_test(campaign):
    for number in range(8):
        one = factories.reviewer(campaign) if number < 7 else factories.reviewer(campaign, is_simulated=True)
        lease = factories.lease(one)
        rate(one, lease)
        one.status = Reviewer.Status.COMPLETED
        tuned = "left" if lease.candidate_left else "right"
        blinding_check.guess(reviewer=one, side="unsure" if number == 6 else tuned)
    found = blinding_check.summary(campaign)
    assert (found["asked"], found["unsure"], found["definite"], found["right"]) == (7, 1, 6, 6)
    assert found["p_value"] == pytest.approx(2 * 0.5**6)
