from django.urls import path

from training import views

app_name = "training"
urlpatterns = [
    path("datasets/", views.datasets, name="datasets"),
    path("datasets/new/", views.dataset_new, name="dataset_new"),
    path("datasets/<uuid:pk>/", views.dataset, name="dataset"),
    path("models/", views.models, name="models"),
    path("models/new/", views.model_new, name="model_new"),
    path("models/<uuid:pk>/", views.model, name="model"),
    path("runs/", views.runs, name="runs"),
    path("runs/new/", views.run_new, name="run_new"),
    path("runs/<uuid:pk>/", views.run, name="run"),
    path("runs/<uuid:pk>/cancel/", views.run_cancel, name="run_cancel"),
]
