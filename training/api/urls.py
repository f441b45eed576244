from rest_framework.routers import SimpleRouter

from training.api.views import DatasetViewSet, ModelViewSet, TrainingRunViewSet

router = SimpleRouter(use_regex_path=False)
router.register("datasets", DatasetViewSet, basename="api-dataset")
router.register("models", ModelViewSet, basename="api-model")
router.register("training-runs", TrainingRunViewSet, basename="api-training-run")
urlpatterns = router.urls
