"""Pages of all features under one namespace."""

from training.intake.urls import pages as intake
from training.registry.urls import pages as registry
from training.runs.urls import pages as runs

app_name = "training"
urlpatterns = [*intake, *runs, *registry]
