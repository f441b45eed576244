"""Pages and endpoints of prompt sets and comparisons."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from evaluation.comparison.api.comparisons import ComparisonViewSet
from evaluation.comparison.api.prompts import PromptSetViewSet
from evaluation.comparison.views import comparisons, figures, files, prompts

pages = [
    path("prompt-sets/", prompts.prompt_sets, name="prompt_sets"),
    path("prompt-sets/new/", prompts.prompt_set_new, name="prompt_set_new"),
    path("prompt-sets/checks/", prompts.checks_add, name="checks_add"),
    path("prompt-sets/<uuid:pk>/", prompts.prompt_set, name="prompt_set"),
    path("prompt-sets/<uuid:pk>/prompts.<slug:kind>", prompts.prompt_texts, name="prompt_texts"),
    path("prompt-sets/files/<uuid:pk>/", files.prompt_file, name="prompt_file"),
    path("comparisons/import/", prompts.pairs_import, name="pairs_import"),
    path("comparisons/import/<uuid:pk>/", files.pairs_file, name="pairs_file"),
    path("comparisons/", comparisons.comparison_list, name="comparisons"),
    path("comparisons/new/", comparisons.comparison_new, name="comparison_new"),
    path("comparisons/<uuid:pk>/", comparisons.comparison_detail, name="comparison"),
    path("comparisons/<uuid:pk>/cancel/", comparisons.comparison_cancel, name="comparison_cancel"),
    path("comparisons/<uuid:pk>/pause/", comparisons.comparison_pause, name="comparison_pause"),
    path("comparisons/<uuid:pk>/resume/", comparisons.comparison_resume, name="comparison_resume"),
    path("comparisons/<uuid:pk>/again/", comparisons.comparison_again, name="comparison_again"),
    path("comparisons/<uuid:pk>/figures/", comparisons.comparison_figures, name="comparison_figures"),
    path("comparisons/<uuid:pk>/without/", comparisons.comparison_without, name="comparison_without"),
    path("comparisons/<uuid:pk>/comparison.<slug:kind>", figures.comparison_file, name="comparison_file"),
    path("comparisons/<uuid:pk>/pairs.csv", figures.pairs_csv, name="pairs_csv"),
    path("comparisons/<uuid:pk>/pairs-with-texts.<slug:kind>", figures.pair_texts, name="pair_texts"),
    path("comparisons/<uuid:pk>/pairs/<int:pair>/", figures.pair, name="pair"),
    path("comparisons/<uuid:pk>/pairs/<int:pair>/pair.<slug:kind>", figures.pair_file, name="pair_file"),
]

router = SimpleRouter(use_regex_path=False)
router.register("prompt-sets", PromptSetViewSet, basename="prompt-set")
router.register("comparisons", ComparisonViewSet, basename="comparison")
endpoints = router.urls
