"""All routes. Apps are included by name: this package is below them and imports none."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from ftplatform.health import healthz
from ftplatform.views import home

urlpatterns = [
    # First, because most requests come from reviewers, and every earlier route slows each of them down.
    path("api/v1/", include("evaluation.api_urls")),
    path("api/v1/", include("training.api_urls")),
    path("", home, name="home"),
    path("healthz", healthz, name="healthz"),
    path("accounts/", include("allauth.urls")),
    path("settings/", include("ftplatform.accounts.urls")),
    path("training/", include("training.urls")),
    path("", include("evaluation.urls")),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="schema"),
]

handler400 = "ftplatform.errors.bad_request"
handler403 = "ftplatform.errors.forbidden"
handler404 = "ftplatform.errors.not_found"
handler500 = "ftplatform.errors.server_error"
