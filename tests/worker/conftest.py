"""Fixtures for comparisons that an endpoint answers."""

import pytest

from evaluation.comparison.services import comparisons
from tests import factories
from tests.worker.chat_server import serving
from training.config import DecodingConfig


@pytest.fixture
def server():
    with serving() as made:
        yield made


@pytest.fixture
def launch(server, settings, monkeypatch):
    """Launch a run on the server; the models' names differ from those that it serves them under."""
    owner = factories.user()
    baseline, candidate = factories.external_model(owner), factories.external_model(owner)
    monkeypatch.setenv("TEST_ENGINE_KEY", "secret")
    settings.GENERATION_ENDPOINTS = {
        "engine": {
            "base_url": server.url,
            "key_variable": "TEST_ENGINE_KEY",
            "models": {baseline.name: "base-served", candidate.name: "tuned-served"},
            "timeout_seconds": 60,
            "attempts": 2,
            "patience_seconds": 0,
            "concurrency": 3,
        }
    }

    def start(prompts=4, prompt_set=None, parameters=None, **decoding):
        values = {"latency_prompts": 0, "max_new_tokens": 16} | decoding
        return comparisons.launch(
            user=owner,
            name="served",
            prompt_set=prompt_set or factories.prompt_set(owner, prompts),
            candidates=[candidate],
            baseline=baseline,
            engine="engine",
            parameters=parameters,
            decoding=DecodingConfig(**values),
        )

    return start
