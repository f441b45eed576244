"""Pages and endpoints of models."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from training.registry.api.models import ModelExportViewSet, ModelJobViewSet, ModelViewSet
from training.registry.views import models

pages = [
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
]

router = SimpleRouter(use_regex_path=False)
router.register("models", ModelViewSet, basename="api-model")
router.register("model-jobs", ModelJobViewSet, basename="api-model-job")
router.register("model-exports", ModelExportViewSet, basename="api-model-export")
endpoints = router.urls
