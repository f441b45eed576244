"""Invitations by mail, all the way: the button, the broker, a worker, a file for every message."""

from email import message_from_string

import pytest
from celery.contrib.testing.worker import start_worker
from django.urls import reverse

from evaluation.models import Invite
from evaluation.review.services import invitations
from ftplatform import queues
from ftplatform.celery import app
from tests import factories, services

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def post_box(settings, tmp_path):
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
    return tmp_path / "mail"


def test_a_worker_mails_each_personal_link_once(client, redis_url, post_box):
    owner = factories.user("manager")
    campaign = factories.campaign(owner)
    invitations.invite_people(campaign=campaign, user=owner, addresses=["a@example.org", "b@example.org"])
    client.force_login(owner)
    send = reverse("evaluation:send_invitations", args=[campaign.pk])
    assert client.post(send).status_code == 302
    assert not post_box.exists()  # the page itself mails nothing
    with start_worker(app, queues=[queues.CPU], pool="solo", perform_ping_check=False):
        services.wait_until(
            lambda: not Invite.objects.filter(sent_at=None).exclude(email=""), what="the mail"
        )
        client.post(send)
        client.post(send)
    mails = [message_from_string(text) for file in post_box.iterdir() for text in whole(file)]
    assert sorted(mail["To"] for mail in mails) == ["a@example.org", "b@example.org"]
    for mail in mails:
        code = Invite.objects.get(email=mail["To"]).code
        assert f"/r/{code}/" in mail.get_payload()
        assert campaign.title in mail["Subject"]


def whole(file):
    """The messages of one connection; Django writes a line of dashes after each."""
    return [text.strip() for text in file.read_text().split("-" * 79) if text.strip()]
