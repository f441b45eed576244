from django.urls import path

from training.intake.views import datasets, uploads
from training.registry.views import models
from training.runs.views import launch, measurements, runs

app_name = "training"
urlpatterns = [
    path("datasets/", datasets.datasets, name="datasets"),
    path("datasets/new/", uploads.dataset_new, name="dataset_new"),
    path("datasets/uploads/<uuid:pk>/", uploads.upload, name="upload"),
    path("datasets/uploads/<uuid:pk>/cancel/", uploads.upload_cancel, name="upload_cancel"),
    path("datasets/uploads/<uuid:pk>/problems.csv", uploads.upload_problems, name="upload_problems"),
    path("datasets/<uuid:pk>/", datasets.dataset, name="dataset"),
    path("datasets/<uuid:pk>/measure/", measurements.measure, name="measure"),
    path("measurements/<uuid:pk>/", measurements.measurement, name="measurement"),
    path("models/", models.models, name="models"),
    path("models/new/", models.model_new, name="model_new"),
    path("models/<uuid:pk>/", models.model, name="model"),
    path("models/<uuid:pk>/card.md", models.model_card, name="model_card"),
    path("models/<uuid:pk>/verify/", models.model_verify, name="model_verify"),
    path("models/<uuid:pk>/merge/", models.model_merge, name="model_merge"),
    path("models/<uuid:pk>/stage/", models.model_stage, name="model_stage"),
    path("models/<uuid:pk>/licence/", models.model_licence, name="model_licence"),
    path("models/<uuid:pk>/export/", models.model_export, name="model_export"),
    path("model-jobs/<uuid:pk>/cancel/", models.model_job_cancel, name="model_job_cancel"),
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
