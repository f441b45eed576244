from django.urls import include, path
from rest_framework.routers import SimpleRouter

from evaluation.comparison.api.comparisons import ComparisonViewSet
from evaluation.comparison.api.prompts import PromptSetViewSet
from evaluation.report.api.analyses import Analyse
from evaluation.report.api.ranking import RankingView
from evaluation.review.api.campaigns import CampaignViewSet, RubricViewSet
from evaluation.review.api.practice import Practice
from evaluation.review.api.review import AcceptInvite, NextAssignment, SubmitRating
from evaluation.review.api.revisions import ReportProblem, ReviseRating, SaveDraft, SkipPair

router = SimpleRouter(use_regex_path=False)
router.register("prompt-sets", PromptSetViewSet, basename="prompt-set")
router.register("comparisons", ComparisonViewSet, basename="comparison")
router.register("rubrics", RubricViewSet, basename="rubric")
router.register("campaigns", CampaignViewSet, basename="campaign")

reviewer = [
    path("invites/<slug:code>/accept", AcceptInvite.as_view(), name="invite-accept"),
    path("campaigns/<uuid:campaign>/assignments/next", NextAssignment.as_view(), name="assignment-next"),
    path("campaigns/<uuid:campaign>/practice", Practice.as_view(), name="practice"),
    path("assignments/<uuid:token>/rating", SubmitRating.as_view(), name="rating"),
    path("assignments/<uuid:token>/revisions", ReviseRating.as_view(), name="revisions"),
    path("assignments/<uuid:token>/draft", SaveDraft.as_view(), name="draft"),
    path("assignments/<uuid:token>/skip", SkipPair.as_view(), name="skip"),
    path("assignments/<uuid:token>/problem", ReportProblem.as_view(), name="problem"),
]
urlpatterns = [
    path("", include((reviewer, "api"))),
    path("analyses/", Analyse.as_view(), name="analyses"),
    path("ranking/", RankingView.as_view(), name="api-ranking"),
    *router.urls,
]
