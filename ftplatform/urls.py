"""All routes. Apps are included by name: this package stands below them and imports none."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from ftplatform.health import healthz
from ftplatform.views import home

urlpatterns = [
    # First, because a reviewer's requests are most of all, and every route before theirs costs each of them.
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
