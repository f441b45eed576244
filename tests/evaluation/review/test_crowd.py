"""Crowd platforms: settings, endings, returned places, pay, and the files that settle it; erasure."""

import csv

import pytest

from evaluation.models import Assignment, Invite, Rating, Reviewer
from evaluation.review import platforms, statements
from evaluation.review.selectors.counted_ratings import ratings_arrays
from evaluation.review.services import assignments, campaigns, crowd, erasure, invitations, pay, ratings
from ftplatform.accounts.models import AuditEntry
from ftplatform.csv_export import csv_lines
from ftplatform.errors import DomainError
from tests import factories

pytestmark = pytest.mark.django_db
CODES = {"completed": "C1", "screened_out": "C2", "failed": "C3"}
PROLIFIC = {"preset": "prolific", "codes": CODES}


@pytest.fixture
def owner():
    return factories.user("manager")


@pytest.fixture
def campaign(owner):
    return factories.campaign(owner, 4, 2, crowd=PROLIFIC, max_per_reviewer=2, hourly_pay=12, currency="GBP")


def come(campaign, number="p1"):
    code = campaign.invites.earliest("id").code
    return invitations.join(code=code, participant={"PROLIFIC_PID": number, "STUDY_ID": "s"})[0]


def rate(reviewer, **changes):
    current = assignments.next_for(reviewer=reviewer)
    if current is None:
        return None
    answer = factories.answer(reviewer.campaign, **changes)
    return ratings.submit(reviewer=reviewer, token=current.token, answer=answer)


def end(reviewer, done):
    return crowd.ending(Reviewer.objects.select_related("campaign").get(pk=reviewer.pk), done=done)


def read(table):
    """A table as a spreadsheet would open its file."""
    return list(csv.DictReader("".join(csv_lines(*table)).splitlines()))


def test_a_preset_fills_in_what_is_not_given():
    made = platforms.check(PROLIFIC)
    assert made["id_parameter"] == "PROLIFIC_PID" and made["captured"] == ["STUDY_ID", "SESSION_ID"]
    assert made["codes"] == CODES
    assert platforms.check({}) == {}
    assert platforms.check({**PROLIFIC, "id_parameter": "pid"})["id_parameter"] == "pid"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"preset": "mturk"}, "preset"),
        ({"id_parameter": "a b"}, "id_parameter"),
        ({"captured": ["ok", "<x>"]}, "captured"),
        ({"captured": "x"}, "captured"),
        ({"redirect": "http://x.example/{code}"}, "redirect"),
        ({"redirect": "javascript:alert(1)"}, "redirect"),
        ({"redirect": "https://user@x.example/{code}"}, "redirect"),
        ({"redirect": "https://x.example/{secret}"}, "redirect"),
        ({"codes": {}}, "codes.completed"),
        ({"codes": {"completed": "C1", "failed": "C1"}}, "codes"),
        ({"codes": {"completed": "C 1"}}, "codes.completed"),
        ({"codes": {"completed": "C1", "other": "C9"}}, "codes.other"),
        ({"secret": "x"}, "secret"),
    ],
)
def test_settings_that_cannot_work_are_named(change, field):
    with pytest.raises(DomainError) as caught:
        platforms.check(PROLIFIC | change)
    assert caught.value.code == "invalid_crowd"
    assert caught.value.problems[0]["field"] == f"crowd.{field}"


def test_every_ending_has_its_own_code_and_place(campaign):
    reviewer = come(campaign)
    assert end(reviewer, 0) is None
    while rate(reviewer):
        pass
    assert end(reviewer, 2) == crowd.Ending(
        "completed", "C1", "https://app.prolific.com/submissions/complete?cc=C1"
    )
    for status, code in (("screened_out", "C2"), ("failed", "C3")):
        Reviewer.objects.update(status=status)
        assert end(reviewer, 0).code == code
    Reviewer.objects.update(status="returned")
    assert end(reviewer, 0) is None


def test_an_id_in_the_address_is_quoted(owner):
    sona = {"preset": "sona", "redirect": "https://x.sona.example/?code={id}", "codes": {"completed": "C1"}}
    campaign = factories.campaign(owner, crowd=sona)
    code = campaign.invites.get().code
    reviewer, _ = invitations.join(code=code, participant={"survey_code": "4&x=1#"})
    Reviewer.objects.update(status="completed")
    assert end(reviewer, 1).url == "https://x.sona.example/?code=4%26x%3D1%23"


def test_who_comes_when_nothing_is_left_is_told_so_with_a_code(owner):
    campaign = factories.campaign(owner, 1, 1, crowd=PROLIFIC)
    assert rate(come(campaign))
    late = come(campaign, "p2")
    assert rate(late) is None
    assert end(late, 0).code == "C2"


def test_a_campaign_that_closes_early_leaves_nobody_without_a_code(campaign, owner):
    reviewer = come(campaign)
    rate(reviewer)
    campaigns.close(campaign=campaign, user=owner, reason="enough")
    assert end(reviewer, 1).code == "C1"


def test_a_returned_place_is_free_at_once_and_a_late_rating_still_counts(campaign, owner):
    reviewer = come(campaign)
    lease = factories.lease(reviewer)
    found = crowd.mark_returned(campaign=campaign, user=owner, participants=["p1", "nobody", " "])
    assert found == {"released": 1, "unchanged": 0, "unknown": 1}
    assert not Assignment.objects.filter(status="leased").exists()
    assert campaign.items.get(pk=lease.item_id).open_slots == 2
    assert assignments.next_for(reviewer=reviewer) is None
    ratings.submit(reviewer=reviewer, token=lease.token, answer=factories.answer(campaign))
    assert Rating.objects.count() == 1
    back = come(campaign)
    assert back.pk == reviewer.pk and back.status == "active"


def test_pay_may_be_refused_for_failed_instruction_checks_only(owner):
    campaign = factories.campaign(owner, 4, 2, crowd=PROLIFIC, quality_every=1)
    reviewer = come(campaign)
    rate(reviewer, active_ms=1)
    with pytest.raises(DomainError) as caught:
        pay.set_pay(reviewer=reviewer, user=owner, pay="refused", note="too fast")
    assert caught.value.code == "pay_is_due"
    assert Reviewer.objects.get(pk=reviewer.pk).pay == "open"
    for item in campaign.items.filter(kind="check")[:2]:
        item.content = {"a": "", "b": "", "expected": ["tie"]}
        item.save()
        wrong = Assignment.objects.create(
            item=item,
            kind=item.kind,
            reviewer=reviewer,
            slot=1,
            candidate_left=True,
            status="rated",
            lease_expires_at=reviewer.joined_at,
        )
        Rating.objects.create(assignment=wrong, campaign=campaign, kind="check", preference="left", scores={})
    pay.set_pay(reviewer=reviewer, user=owner, pay="refused", note="two failed checks")
    assert Reviewer.objects.get(pk=reviewer.pk).pay == "refused"
    assert AuditEntry.objects.filter(action="reviewer.pay").count() == 1


def test_reconciliation_goes_from_participant_to_code_and_pay(campaign, owner):
    reviewer = come(campaign)
    while rate(reviewer, active_ms=90_000):
        pass
    come(campaign, "=cmd|' /C calc'!A0")
    assert pay.approve_completed(campaign=campaign, user=owner) == 1
    rows = read(pay.reconciliation_table(campaign))
    assert rows[0] == {
        "reviewer": "1", "participant": "p1", "STUDY_ID": "s", "SESSION_ID": "", "status": "completed",
        "ratings": "2", "quality_items": "0", "active_minutes": "3.0", "code": "C1", "amount": "0.6",
        "currency": "GBP", "pay": "approved", "note": "",
    }  # fmt: skip
    assert rows[1]["participant"] == "'=cmd|' /C calc'!A0" and rows[1]["pay"] == "open"
    detailed = read(pay.ratings_table(campaign))
    assert [row["participant"] for row in detailed] == ["p1", "p1"]
    assert not {"preference", "scores"} & set(detailed[0])


def test_erasure_forgets_the_person_and_keeps_the_ratings(campaign, owner):
    code = campaign.invites.get().code
    reviewer, token = invitations.join(
        code=code, participant={"PROLIFIC_PID": "p1", "STUDY_ID": "s"}, user=factories.user("reviewer")
    )
    rate(reviewer, comment="I am Ann Example")
    held = factories.lease(reviewer)
    before = ratings_arrays(campaign)
    erased = erasure.erase(reviewer=reviewer, user=owner)
    assert (erased.user, erased.external_id, erased.captured, erased.completion_code) == (None, "", {}, "")
    assert statements.reviewer_by_token(token) is None
    rating = Rating.objects.get()
    assert rating.comment == "" and rating.preference == "left" and rating.scores
    after = ratings_arrays(campaign)
    assert len(after.ratings) == 1 and (after.ratings.outcome == before.ratings.outcome).all()
    assert campaign.items.get(pk=held.item_id).open_slots == 2
    stamp = erased.erased_at
    assert erasure.erase(reviewer=reviewer, user=owner).erased_at == stamp
    assert AuditEntry.objects.filter(action="reviewer.erase").count() == 1


def test_erasure_forgets_the_address_of_a_personal_link(owner):
    campaign = factories.campaign(owner)
    (invite,) = invitations.invite_people(campaign=campaign, user=owner, addresses=["a@example.org"])
    reviewer, _ = invitations.join(code=invite.code)
    erasure.erase(reviewer=reviewer, user=owner)
    assert not Invite.objects.filter(email="a@example.org").exists()


def test_the_last_page_hands_the_platforms_code_over(client, campaign):
    code = campaign.invites.get().code
    client.post(f"/r/{code}/?PROLIFIC_PID=p1")
    page = f"/review/{campaign.pk}/done/"
    assert "cc=C1" not in client.get(page).content.decode()
    reviewer = Reviewer.objects.select_related("campaign").get()
    while rate(reviewer):
        pass
    shown = client.get(page).content.decode()
    assert "https://app.prolific.com/submissions/complete?cc=C1" in shown
    assert reviewer.completion_code not in shown


def test_who_is_invited_in_person_needs_no_number_and_takes_home_a_code_of_their_own(client, campaign, owner):
    (personal,) = invitations.invite_people(campaign=campaign, user=owner, addresses=["ann@example.org"])
    assert client.get(f"/r/{personal.code}/").status_code == 200
    ann = invitations.join(code=personal.code)[0]
    rate(ann)
    assert (ann.external_id, end(ann, 1).code, end(ann, 1).url) == ("", ann.completion_code, "")
    shared = campaign.invites.get(email="")
    assert client.get(f"/r/{shared.code}/").status_code == 400
    with pytest.raises(DomainError, match="participant number"):
        invitations.join(code=shared.code)


def test_the_shared_link_is_shown_as_the_platform_takes_it(client, campaign, owner):
    client.force_login(owner)
    code = campaign.invites.get().code
    for page in ("", "people/"):
        shown = client.get(f"/campaigns/{campaign.pk}/{page}").content.decode()
        assert f"/r/{code}/?PROLIFIC_PID={{{{%PROLIFIC_PID%}}}}&amp;STUDY_ID" in shown
