"""What the tests of runs and models share."""

import pytest

from tests import factories
from training import integrity


@pytest.fixture
def artefact_dir(settings, tmp_path):
    """Artefacts of a test are written to a folder of its own."""
    settings.ARTEFACT_DIR = tmp_path


@pytest.fixture
def any_base(monkeypatch, artefact_dir):
    """The factories' base models are only rows; what their folders must be is tested elsewhere."""
    monkeypatch.setattr(integrity, "check_unchanged", lambda model: None)


@pytest.fixture
def admin(client):
    owner = factories.user()
    client.force_login(owner)
    return owner
