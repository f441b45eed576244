"""Pages and endpoints of analyses, reports and rankings."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from evaluation.report.api.analyses import Analyse, ImportRatings
from evaluation.report.api.ranking import RankingView
from evaluation.report.api.reports import ReportViewSet
from evaluation.report.views import analysis, ranking, report

pages = [
    path("analyse/", analysis.analyse, name="analyse"),
    path("analyse/download/", analysis.download, name="analysis_download"),
    path("ratings/import/", analysis.import_ratings, name="import_ratings"),
    path("ranking/", ranking.ranking, name="ranking"),
    path("campaigns/<uuid:pk>/look/", report.take_look, name="take_look"),
    path("campaigns/<uuid:pk>/report/", report.latest, name="report"),
    path("campaigns/<uuid:pk>/report/<int:look>/", report.report, name="report_look"),
    path("campaigns/<uuid:pk>/report/<int:look>/report.<slug:kind>", report.report_file, name="report_file"),
    path(
        "campaigns/<uuid:pk>/report/<int:look>/plots/<slug:name>.<slug:kind>",
        report.report_plot,
        name="report_plot",
    ),
    path(
        "campaigns/<uuid:pk>/report/<int:look>/recompute.<slug:language>", report.recompute, name="recompute"
    ),
    path("campaigns/<uuid:pk>/report/<int:look>/export.zip", report.export, name="export"),
    path("campaigns/<uuid:pk>/ratings-<slug:variant>.<slug:kind>", report.ratings_file, name="ratings_file"),
]

router = SimpleRouter(use_regex_path=False)
router.register("campaigns", ReportViewSet, basename="campaign-report")
endpoints = [
    path("analyses/", Analyse.as_view(), name="analyses"),
    path("imported-ratings/", ImportRatings.as_view(), name="imported-ratings"),
    path("ranking/", RankingView.as_view(), name="api-ranking"),
    *router.urls,
]
