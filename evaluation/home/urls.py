"""The home page."""

from django.urls import path

from evaluation.home import views

pages = [
    path("overview/", views.overview, name="overview"),
]
