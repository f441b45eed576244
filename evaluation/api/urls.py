from django.urls import include, path
from rest_framework.routers import SimpleRouter

from evaluation.api.review import AcceptInvite, NextAssignment, SubmitRating
from evaluation.api.views import CampaignViewSet, GenerationRunViewSet, PromptSetViewSet

router = SimpleRouter(use_regex_path=False)
router.register("prompt-sets", PromptSetViewSet, basename="prompt-set")
router.register("generation-runs", GenerationRunViewSet, basename="generation-run")
router.register("campaigns", CampaignViewSet, basename="campaign")

reviewer = [
    path("invites/<slug:code>/accept", AcceptInvite.as_view(), name="invite-accept"),
    path("campaigns/<uuid:campaign>/assignments/next", NextAssignment.as_view(), name="assignment-next"),
    path("assignments/<uuid:token>/rating", SubmitRating.as_view(), name="rating"),
]
urlpatterns = [path("", include((reviewer, "api"))), *router.urls]
