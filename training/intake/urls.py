"""Pages and endpoints of uploads and datasets."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from training.intake.api.datasets import DatasetViewSet, UploadViewSet
from training.intake.views import datasets, uploads

pages = [
    path("datasets/", datasets.datasets, name="datasets"),
    path("datasets/new/", uploads.dataset_new, name="dataset_new"),
    path("datasets/uploads/<uuid:pk>/", uploads.upload, name="upload"),
    path("datasets/uploads/<uuid:pk>/cancel/", uploads.upload_cancel, name="upload_cancel"),
    path("datasets/uploads/<uuid:pk>/problems.csv", uploads.upload_problems, name="upload_problems"),
    path("datasets/<uuid:pk>/", datasets.dataset, name="dataset"),
]

router = SimpleRouter(use_regex_path=False)
router.register("datasets", DatasetViewSet, basename="api-dataset")
router.register("uploads", UploadViewSet, basename="api-upload")
endpoints = router.urls
