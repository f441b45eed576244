"""Endpoints of all features."""

from training.intake.urls import endpoints as intake
from training.registry.urls import endpoints as registry
from training.runs.urls import endpoints as runs

urlpatterns = [*intake, *runs, *registry]
