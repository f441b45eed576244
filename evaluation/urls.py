"""Pages of all features in one namespace."""

from evaluation.comparison.urls import pages as comparison
from evaluation.home.urls import pages as home
from evaluation.report.urls import pages as report
from evaluation.review.urls import pages as review

app_name = "evaluation"
urlpatterns = [*home, *comparison, *review, *report]
