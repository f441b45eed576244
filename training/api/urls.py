from rest_framework.routers import SimpleRouter

from training.intake.api.datasets import DatasetViewSet, UploadViewSet
from training.registry.api.models import ModelExportViewSet, ModelJobViewSet, ModelViewSet
from training.runs.api.measurements import MeasurementViewSet
from training.runs.api.runs import TrainingRunViewSet

router = SimpleRouter(use_regex_path=False)
router.register("datasets", DatasetViewSet, basename="api-dataset")
router.register("uploads", UploadViewSet, basename="api-upload")
router.register("measurements", MeasurementViewSet, basename="api-measurement")
router.register("models", ModelViewSet, basename="api-model")
router.register("model-jobs", ModelJobViewSet, basename="api-model-job")
router.register("model-exports", ModelExportViewSet, basename="api-model-export")
router.register("training-runs", TrainingRunViewSet, basename="api-training-run")
urlpatterns = router.urls
