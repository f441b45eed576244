from django.urls import path

from training.views import datasets, models, runs

app_name = "training"
urlpatterns = [
    path("datasets/", datasets.datasets, name="datasets"),
    path("datasets/new/", datasets.dataset_new, name="dataset_new"),
    path("datasets/<uuid:pk>/", datasets.dataset, name="dataset"),
    path("models/", models.models, name="models"),
    path("models/new/", models.model_new, name="model_new"),
    path("models/<uuid:pk>/", models.model, name="model"),
    path("runs/", runs.runs, name="runs"),
    path("runs/new/", runs.run_new, name="run_new"),
    path("runs/<uuid:pk>/", runs.run, name="run"),
    path("runs/<uuid:pk>/cancel/", runs.run_cancel, name="run_cancel"),
]
