"""What every endpoint shares: one write per idempotency key, and problem documents for whatever goes wrong."""

import threading

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from ftplatform.accounts.models import AuditEntry
from ftplatform.accounts.services import issue_token
from ftplatform.api import idempotency
from ftplatform.api.models import AnsweredWrite
from ftplatform.jobs.models import JobEvent
from tests import factories
from training.models import Dataset

PROBLEM = "application/problem+json"


def headers(user, key=None):
    _, secret = issue_token(user=user, name="t", scopes=["read", "train"], days=1)
    found = {"Authorization": f"Bearer {secret}"}
    return found | ({"Idempotency-Key": key} if key else {})


@pytest.fixture
def admin(db):
    return factories.user()


def upload(client, sent, content=b"", name="cases"):
    rows = b"".join(line for line in factories.jsonl(*(factories.row(id=str(n)) for n in range(20))))
    file = SimpleUploadedFile("cases.jsonl", content or rows)
    return client.post("/api/v1/datasets/", {"name": name, "file": file}, headers=sent)


def test_a_repeated_write_gets_the_first_answer_and_does_nothing(client, admin):
    run = factories.training_run(admin)
    sent = headers(admin, "stop")
    url = f"/api/v1/training-runs/{run.pk}/cancel/"
    first = client.post(url, content_type="application/json", headers=sent)
    events, entries = JobEvent.objects.count(), AuditEntry.objects.count()
    again = client.post(url, content_type="application/json", headers=sent)
    assert first.status_code == again.status_code == 200
    assert again.json() == first.json() and again["Idempotent-Replayed"] == "true"
    assert (JobEvent.objects.count(), AuditEntry.objects.count()) == (events, entries)


def test_without_a_key_the_same_write_is_made_again(client, admin):
    """The control of the test above."""
    run = factories.training_run(admin)
    sent = headers(admin)
    entries = AuditEntry.objects.count()
    for _ in range(2):
        client.post(f"/api/v1/training-runs/{run.pk}/cancel/", content_type="application/json", headers=sent)
    assert AuditEntry.objects.count() == entries + 2


def test_a_key_never_means_two_things(client, admin):
    one, other = factories.training_run(admin), factories.training_run(admin)
    sent = headers(admin, "k")
    assert (
        client.post(
            f"/api/v1/training-runs/{one.pk}/cancel/", content_type="application/json", headers=sent
        ).status_code
        == 200
    )
    refused = client.post(
        f"/api/v1/training-runs/{other.pk}/cancel/", content_type="application/json", headers=sent
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_mismatch")


def test_keys_of_two_people_have_nothing_to_do_with_each_other(client, admin):
    run = factories.training_run(admin)
    for user in (admin, factories.user()):
        answer = client.post(
            f"/api/v1/training-runs/{run.pk}/cancel/",
            content_type="application/json",
            headers=headers(user, "k"),
        )
        assert answer.status_code == 200 and "Idempotent-Replayed" not in answer


def test_a_refused_write_may_be_mended_under_the_same_key(client, admin):
    sent = headers(admin, "k")
    assert upload(client, sent, b"no json\n").status_code == 422
    assert AnsweredWrite.objects.count() == 0
    assert upload(client, sent).status_code == 201


def test_files_are_told_apart_by_their_content_and_read_whole_afterwards(client, admin):
    sent = headers(admin, "k")
    first = upload(client, sent)
    assert first.status_code == 201 and upload(client, sent).json() == first.json()
    assert upload(client, sent, b'{"id": "x"}\n').json()["code"] == "idempotency_mismatch"
    assert Dataset.objects.get().rows == 20


def test_a_repeat_while_the_first_is_at_work_is_told_to_wait(client, admin, monkeypatch):
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0.2)
    run = factories.training_run(admin)
    url, sent = f"/api/v1/training-runs/{run.pk}/cancel/", headers(admin, "k")
    client.post(url, content_type="application/json", headers=sent)
    AnsweredWrite.objects.update(status=None, body=None)
    answer = client.post(url, content_type="application/json", headers=sent)
    assert (answer.status_code, answer.json()["code"]) == (409, "still_working")
    monkeypatch.setattr(idempotency, "ABANDONED", idempotency.ABANDONED * 0)
    assert client.post(url, content_type="application/json", headers=sent).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_do_the_work_once(monkeypatch):
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 120)  # the first may be slow beside nine others
    admin = factories.user()
    run = factories.training_run(admin)
    sent = headers(admin, "k")
    answers: list[int] = []
    barrier = threading.Barrier(10)

    def send():
        barrier.wait()
        url = f"/api/v1/training-runs/{run.pk}/cancel/"
        answers.append(Client().post(url, content_type="application/json", headers=sent).status_code)
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 10
    assert AuditEntry.objects.filter(action="job.cancel").count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/v1/nothing/", "/api/v1/training-runs/no-id/", "/api/nothing"])
def test_a_path_that_does_not_exist_is_a_problem_document(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer["Content-Type"]) == (404, PROBLEM)
    assert answer.json()["code"] == "not_found"


@pytest.mark.django_db
def test_a_page_that_does_not_exist_stays_a_page(client):
    answer = client.get("/nothing/")
    assert answer.status_code == 404 and answer["Content-Type"].startswith("text/html")


def test_a_crash_of_an_endpoint_says_nothing_of_its_inside_and_gives_the_key_back(client, admin, monkeypatch):
    run = factories.training_run(admin)

    def crash(**_):
        raise RuntimeError("secret inside")

    monkeypatch.setattr("ftplatform.jobs.services.cancel", crash)
    client.raise_request_exception = False
    answer = client.post(
        f"/api/v1/training-runs/{run.pk}/cancel/",
        content_type="application/json",
        headers=headers(admin, "k"),
    )
    assert (answer.status_code, answer["Content-Type"], answer.json()["code"]) == (500, PROBLEM, "internal")
    assert "secret" not in answer.content.decode()
    assert AnsweredWrite.objects.count() == 0
