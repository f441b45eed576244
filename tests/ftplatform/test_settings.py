"""Settings from the environment fail loudly, and the embedded database is set up to lose nothing."""

from pathlib import Path

import pytest
from celery import Celery
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from ftplatform import env, queues


@pytest.mark.django_db
def test_the_embedded_database_writes_ahead_and_syncs_fully():
    if connection.vendor != "sqlite":
        pytest.skip("this run is on PostgreSQL")

    def pragma(name):
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA {name}")
            return cursor.fetchone()[0]

    assert [pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys")] == ["wal", 2, 1]
    assert connection.settings_dict["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


@pytest.mark.parametrize(
    ("reader", "value", "said"),
    [
        (lambda: env.flag("X", False), "perhaps", "neither yes nor no"),
        (lambda: env.integer("X", 1), "many", "not a whole number"),
        (lambda: env.integer("X", 5, minimum=5), "4", "below 5"),
        (lambda: env.secret("X", Path()), "short", "at least 50 characters"),
        (lambda: env.database("X", Path()), "mysql://a/b", "must begin with postgres://"),
    ],
)
def test_a_wrong_value_stops_the_start_with_its_name(monkeypatch, reader, value, said):
    monkeypatch.setenv("X", value)
    with pytest.raises(ImproperlyConfigured) as caught:
        reader()
    assert said in str(caught.value) and "X" in str(caught.value)


def test_a_database_url_is_taken_apart(monkeypatch, tmp_path):
    monkeypatch.setenv("X", "postgres://me:p%40ss@db:5433/name?sslmode=require")
    found = env.database("X", tmp_path / "x.sqlite3")
    names = ("USER", "PASSWORD", "HOST", "PORT", "NAME")
    assert [found[name] for name in names] == ["me", "p@ss", "db", "5433", "name"]
    assert found["OPTIONS"] == {"sslmode": "require"}


def test_a_broker_that_is_down_costs_no_request(caplog, monkeypatch, tmp_path):
    deserted = Celery("deserted", broker=f"redis+socket://{tmp_path}/none.sock")
    monkeypatch.setattr(queues, "app", deserted)
    queues.ring(queues.GPU)
    assert "the recovery tick will ring again" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_bell_rings_after_commit_on_a_real_broker(redis_url):
    from django.db import transaction

    from ftplatform.celery import app

    with app.connection_for_read() as broker:
        bells = broker.default_channel.client
        before = bells.llen(queues.GPU)
        with transaction.atomic():
            queues.ring_on_commit(queues.GPU)
            assert bells.llen(queues.GPU) == before
        assert bells.llen(queues.GPU) == before + 1
