from django.urls import path

from evaluation.views import analysis, comparisons, generation, manage, report, review, reviewer

app_name = "evaluation"
urlpatterns = [
    path("overview/", manage.overview, name="overview"),
    path("prompt-sets/", manage.prompt_sets, name="prompt_sets"),
    path("prompt-sets/new/", manage.prompt_set_new, name="prompt_set_new"),
    path("comparisons/", generation.generation_runs, name="generation_runs"),
    path("comparisons/new/", generation.generation_run_new, name="generation_run_new"),
    path("comparisons/<uuid:pk>/", generation.generation_run, name="generation_run"),
    path("comparisons/<uuid:pk>/cancel/", generation.generation_run_cancel, name="generation_run_cancel"),
    path("comparisons/<uuid:pk>/again/", generation.generation_run_again, name="generation_run_again"),
    path("analyse/", analysis.analyse, name="analyse"),
    path("comparisons/<uuid:pk>/comparison.<slug:kind>", comparisons.comparison_file, name="comparison_file"),
    path("comparisons/<uuid:pk>/pairs.csv", comparisons.pairs_csv, name="pairs_csv"),
    path("comparisons/<uuid:pk>/pairs/<int:pair>/", comparisons.pair, name="pair"),
    path("comparisons/<uuid:pk>/pairs/<int:pair>/pair.<slug:kind>", comparisons.pair_file, name="pair_file"),
    path("campaigns/", manage.campaigns, name="campaigns"),
    path("campaigns/new/", manage.campaign_new, name="campaign_new"),
    path("campaigns/<uuid:pk>/", manage.campaign, name="campaign"),
    path("campaigns/<uuid:pk>/open/", manage.campaign_open, name="campaign_open"),
    path(
        "campaigns/<uuid:pk>/replace-invite/", manage.campaign_replace_invite, name="campaign_replace_invite"
    ),
    path("campaigns/<uuid:pk>/pause/", manage.campaign_pause, name="campaign_pause"),
    path("campaigns/<uuid:pk>/resume/", manage.campaign_resume, name="campaign_resume"),
    path("campaigns/<uuid:pk>/close/", manage.campaign_close, name="campaign_close"),
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
    path("r/<slug:code>/", review.invite, name="invite"),
    path("review/<uuid:campaign>/", review.review, name="review"),
    path("review/worker.js", reviewer.review_worker, name="review_worker"),
    path("review/<uuid:campaign>/manifest.webmanifest", reviewer.review_manifest, name="review_manifest"),
    path("review/<uuid:campaign>/done/", reviewer.review_done, name="review_done"),
    path("review/<uuid:campaign>/guess/", reviewer.review_guess, name="review_guess"),
    path("review/<uuid:campaign>/mine/", reviewer.review_own, name="review_own"),
    path("review/<uuid:campaign>/erase/", reviewer.review_erase, name="review_erase"),
]
