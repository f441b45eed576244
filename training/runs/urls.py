"""Pages and endpoints of measurements and training runs."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from training.runs.api.measurements import MeasurementViewSet
from training.runs.api.runs import TrainingRunViewSet
from training.runs.views import launch, measurements, runs

pages = [
    path("datasets/<uuid:pk>/measure/", measurements.measure, name="measure"),
    path("measurements/<uuid:pk>/", measurements.measurement, name="measurement"),
    path("runs/", runs.runs, name="runs"),
    path("runs/new/", launch.run_new, name="run_new"),
    path("runs/estimate/", launch.run_estimate, name="run_estimate"),
    path("runs/compare/", runs.compare, name="runs_compared"),
    path("runs/<uuid:pk>/", runs.run, name="run"),
    path("runs/<uuid:pk>/curves/", runs.run_curves, name="run_curves"),
    path("runs/<uuid:pk>/log/", runs.run_log, name="run_log"),
    path("runs/<uuid:pk>/facts.md", runs.run_facts, name="run_facts"),
    path("runs/<uuid:pk>/cancel/", runs.run_cancel, name="run_cancel"),
    path("runs/<uuid:pk>/pause/", runs.run_pause, name="run_pause"),
    path("runs/<uuid:pk>/resume/", runs.run_resume, name="run_resume"),
    path("runs/<uuid:pk>/priority/", runs.run_prioritise, name="run_prioritise"),
    path("runs/<uuid:pk>/retry/", runs.run_retry, name="run_retry"),
    path("runs/<uuid:pk>/discard-checkpoints/", runs.run_discard_checkpoints, name="run_discard_checkpoints"),
]

router = SimpleRouter(use_regex_path=False)
router.register("measurements", MeasurementViewSet, basename="api-measurement")
router.register("training-runs", TrainingRunViewSet, basename="api-training-run")
endpoints = router.urls
