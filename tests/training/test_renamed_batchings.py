"""Runs of earlier ways to batch stay readable."""

from importlib import import_module

import pytest
from django.apps import apps

from tests import factories
from training.config import TrainingConfig

pytestmark = pytest.mark.django_db
rename_batchings = import_module("training.migrations.0009_rows_end_to_end").rename_batchings


@pytest.mark.parametrize(
    ("before", "after"), [("parted", "padding_free"), ("grouped", "padded"), ("padded", "padded")]
)
def test_a_run_of_an_earlier_batching_is_read_under_the_name_of_today(admin, before, after):
    run = factories.training_run(admin)
    run.config["batching"] = before
    run.save()
    rename_batchings(apps, None)
    run.refresh_from_db()
    assert TrainingConfig.model_validate(run.config).batching == after
