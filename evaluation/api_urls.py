"""Endpoints of all features; reviewers' requests are the most frequent, so theirs are tried first."""

from evaluation.comparison.urls import endpoints as comparison
from evaluation.report.urls import endpoints as report
from evaluation.review.urls import endpoints as review

urlpatterns = [*review, *comparison, *report]
