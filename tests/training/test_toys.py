"""A toy model is labelled as one wherever it comes from."""

import shutil

import pytest

from tests import factories
from training.registry.services import models
from worker.demo.stages import BASE_FOLDER


@pytest.mark.django_db
def test_a_toy_is_known_whoever_registers_a_copy_of_it_under_whatever_name(tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(BASE_FOLDER, copy)
    (copy / "README.md").unlink()
    owner = factories.user()
    assert models.register_base(user=owner, name="prod-1b", path=str(copy)).is_demo
    # The control: what is no smaller than a real model is not called a toy.
    monkeypatch.setattr(models, "TOY_PARAMETERS", 1_000_000)
    assert not models.register_base(user=owner, name="other", path=str(copy)).is_demo
