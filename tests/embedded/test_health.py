"""What load balancers and containers are told."""

import pytest
from django.db import OperationalError, connection
from django.test import Client


@pytest.mark.django_db
def test_all_is_well(client: Client, redis_url: str):
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "database": "ok", "redis": "ok"}
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.django_db
def test_the_site_is_up_without_redis(client: Client, settings):
    settings.CELERY_BROKER_URL = "redis+socket:///nowhere/at-all.sock"
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "database": "ok", "redis": "down"}


def test_the_site_is_down_without_its_database(client: Client, monkeypatch: pytest.MonkeyPatch):
    def refuse() -> None:
        raise OperationalError("no such host db.internal")

    monkeypatch.setattr(connection, "cursor", refuse)
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["database"] == "down"
    assert b"internal" not in answer.content


def test_it_only_answers_reads(client: Client):
    assert client.post("/healthz").status_code == 405
