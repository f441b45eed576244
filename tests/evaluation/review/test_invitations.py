"""Joining: by a shared link, by a link of one's own, from a crowd platform; and every way in which it is refused."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from evaluation.models import Invite, Reviewer
from evaluation.review.services import campaigns, invitations
from ftplatform.errors import DomainError
from tests import factories

pytestmark = pytest.mark.django_db
PROLIFIC = {"preset": "prolific", "codes": {"completed": "C1", "screened_out": "C2", "failed": "C3"}}


@pytest.fixture
def owner():
    return factories.user("manager")


def refused(**join):
    with pytest.raises(DomainError) as caught:
        invitations.join(**join)
    return caught.value.code


def code_of(campaign):
    return campaign.invites.earliest("id").code


def test_altered_expired_withdrawn_and_foreign_links_are_each_told_apart(owner):
    campaign = factories.campaign(owner)
    invite = campaign.invites.get()
    assert refused(code=invite.code[:-1] + ("A" if invite.code[-1] != "A" else "B")) == "invite_invalid"
    Invite.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert refused(code=invite.code) == "invite_expired"
    Invite.objects.update(revoked_at=timezone.now())
    assert refused(code=invite.code) == "invite_withdrawn"
    assert not Reviewer.objects.exists()


def test_a_link_of_ones_own_works_once(owner):
    campaign = factories.campaign(owner)
    (invite,) = invitations.invite_people(campaign=campaign, user=owner, addresses=["A@example.org"])
    assert invite.email == "a@example.org"
    invitations.join(code=invite.code)
    assert refused(code=invite.code) == "invite_full"
    assert campaign.reviewers.count() == 1


def test_nobody_is_invited_twice_and_bad_lines_are_named(owner):
    campaign = factories.campaign(owner)
    addresses = ["a@example.org", " A@example.org ", "b@example.org"]
    assert len(invitations.invite_people(campaign=campaign, user=owner, addresses=addresses)) == 2
    assert invitations.invite_people(campaign=campaign, user=owner, addresses=addresses) == []
    with pytest.raises(DomainError) as caught:
        invitations.invite_people(campaign=campaign, user=owner, addresses=["c@example.org", "nobody", ""])
    assert [problem["line"] for problem in caught.value.problems] == [2, 3]
    assert campaign.invites.exclude(email="").count() == 2


def test_mails_go_out_once_each(owner):
    campaign = factories.campaign(owner)
    invitations.invite_people(campaign=campaign, user=owner, addresses=["a@example.org", "b@example.org"])
    assert invitations.send(campaign_id=campaign.pk, base_url="https://x.example/") == 2
    assert invitations.send(campaign_id=campaign.pk, base_url="https://x.example/") == 0
    assert [message.to for message in mail.outbox] == [["a@example.org"], ["b@example.org"]]
    invite = campaign.invites.get(email="a@example.org")
    assert f"https://x.example/r/{invite.code}/" in mail.outbox[0].body


def test_a_mail_that_fails_is_tried_again(owner, settings):
    campaign = factories.campaign(owner)
    invitations.invite_people(campaign=campaign, user=owner, addresses=["a@example.org"])
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_PORT = 1  # nothing listens there
    with pytest.raises(OSError):
        invitations.send(campaign_id=campaign.pk, base_url="https://x.example")
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert invitations.send(campaign_id=campaign.pk, base_url="https://x.example") == 1


def test_a_site_without_a_mail_server_says_so(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert not invitations.can_send()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    assert invitations.can_send()


def test_conditions_must_be_agreed_to(owner):
    campaign = factories.campaign(owner, consent="We keep your answers.")
    assert refused(code=code_of(campaign)) == "consent_required"
    assert invitations.join(code=code_of(campaign), consent=True)


def test_a_participant_joins_with_the_platforms_number_and_parameters(owner):
    campaign = factories.campaign(owner, crowd=PROLIFIC)
    sent = {"PROLIFIC_PID": "p1", "STUDY_ID": "s", "SESSION_ID": "t", "role": "admin"}
    reviewer, _ = invitations.join(code=code_of(campaign), participant=sent)
    assert reviewer.external_id == "p1"
    assert reviewer.captured == {"STUDY_ID": "s", "SESSION_ID": "t"}


@pytest.mark.parametrize("number", ["", "  ", "x" * 201, "{{%PROLIFIC_PID%}}", "a\x00b"])
def test_a_platforms_link_without_a_number_is_refused(owner, number):
    campaign = factories.campaign(owner, crowd=PROLIFIC)
    sent = {"PROLIFIC_PID": number}
    assert refused(code=code_of(campaign), participant=sent) == "participant_missing"


def test_a_link_without_its_number_is_refused_before_anything_is_read(client, owner):
    page = f"/r/{code_of(factories.campaign(owner, crowd=PROLIFIC))}/"
    answer = client.get(page, headers={"Accept-Language": "de"})
    assert (
        answer.status_code == 400 and "Teilnehmernummer enthalten (PROLIFIC_PID)" in answer.content.decode()
    )
    assert client.get(page, {"PROLIFIC_PID": "p1"}).status_code == 200


def test_nobody_becomes_another_participant_by_knowing_their_number(owner):
    campaign = factories.campaign(owner, crowd=PROLIFIC)
    first, _ = invitations.join(code=code_of(campaign), participant={"PROLIFIC_PID": "p1"})
    assert refused(code=code_of(campaign), participant={"PROLIFIC_PID": "p1"}) == "participant_taken"
    digest = Reviewer.objects.get(pk=first.pk).digest
    assert digest == first.digest
    # The same number in another campaign is somebody's first time there.
    other = factories.campaign(owner, crowd=PROLIFIC)
    assert invitations.join(code=code_of(other), participant={"PROLIFIC_PID": "p1"})


def test_a_closed_campaign_takes_nobody(owner):
    campaign = factories.campaign(owner)
    campaigns.close(campaign=campaign, user=owner, reason="enough")
    assert refused(code=code_of(campaign)) == "campaign_closed"


ACCEPT = "/api/v1/invites/{}/accept"


@pytest.mark.parametrize(
    "body", [{"role": "admin"}, {"user": 1}, {"is_simulated": True}, {"consent": "maybe"}]
)
def test_an_invitation_cannot_be_given_more_than_it_asks_for(client, owner, body):
    campaign = factories.campaign(owner)
    answer = client.post(ACCEPT.format(code_of(campaign)), body, "application/json")
    assert answer.status_code == 400 and not Reviewer.objects.exists()


def test_a_role_in_the_pages_form_makes_no_difference(client, owner):
    campaign = factories.campaign(owner)
    client.post(f"/r/{code_of(campaign)}/", {"role": "admin", "is_simulated": "1", "user": owner.pk})
    reviewer = Reviewer.objects.get()
    assert reviewer.user is None and not reviewer.is_simulated
    assert client.get("/campaigns/").status_code == 302


def test_page_and_endpoint_share_one_limit_by_address(client, owner):
    from django.test import Client

    campaign = factories.campaign(owner)
    path = f"/r/{code_of(campaign)}/"
    statuses = [Client().post(path).status_code for _ in range(60)]
    assert set(statuses) == {302}
    assert Client().post(path).status_code == 429
    assert client.post(ACCEPT.format(code_of(campaign))).status_code == 429
    # The header that a client may write itself makes nobody new.
    assert Client().post(path, headers={"X-Forwarded-For": "10.1.2.3"}).status_code == 429
    assert campaign.reviewers.count() == 60


def test_the_parameters_of_the_link_survive_the_welcome_page(client, owner):
    campaign = factories.campaign(owner, crowd=PROLIFIC)
    path = f"/r/{code_of(campaign)}/?PROLIFIC_PID=p7&STUDY_ID=s"
    page = client.get(path).content.decode()
    assert "PROLIFIC_PID=p7" in page
    answer = client.post(path)
    assert answer.status_code == 302 and "p7" not in answer["Location"]
    assert Reviewer.objects.get().external_id == "p7"
    assert client.post(f"/r/{code_of(campaign)}/").status_code in (302, 400)
