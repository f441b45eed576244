from rest_framework.routers import SimpleRouter

from training.api.datasets import DatasetViewSet, UploadViewSet
from training.api.models import ModelViewSet
from training.api.runs import TrainingRunViewSet

router = SimpleRouter(use_regex_path=False)
router.register("datasets", DatasetViewSet, basename="api-dataset")
router.register("uploads", UploadViewSet, basename="api-upload")
router.register("models", ModelViewSet, basename="api-model")
router.register("training-runs", TrainingRunViewSet, basename="api-training-run")
urlpatterns = router.urls
