"""Every view states who may use it, and only the listed views are public."""

from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.module_loading import import_string
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView
from rest_framework.views import APIView

# Third-party views do their own checks. Only views in these modules are exempt from ours.
GUARDED_ELSEWHERE = ("allauth.",)


def views(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    for entry in (resolver or get_resolver()).url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from views(entry, route)
        else:
            assert isinstance(entry, URLPattern)
            yield route, entry.callback


def says_who_may_enter(view: Callable[..., Any]) -> bool:
    if getattr(view, "access", None):
        return True
    kind = getattr(view, "cls", None) or getattr(view, "view_class", None)
    if isinstance(kind, type) and issubclass(kind, SpectacularAPIView | RedirectView):
        # The schema is public, and a redirect shows no data.
        return True
    if isinstance(kind, type) and issubclass(kind, APIView):
        return _has_permissions(kind)
    return _module(view).startswith(GUARDED_ELSEWHERE)


def _has_permissions(kind: type[APIView]) -> bool:
    classes = list(kind.permission_classes)
    defaults = [import_string(name) for name in settings.REST_FRAMEWORK["DEFAULT_PERMISSION_CLASSES"]]
    return bool(classes) and classes != defaults


def _module(view: Callable[..., Any]) -> str:
    kind = getattr(view, "view_class", None)
    return str((kind or view).__module__)


def test_every_view_says_who_may_enter():
    silent = [route for route, view in views() if not says_who_may_enter(view)]
    assert not silent, "put @roles(...) or @open_to_all on these, or permission_classes on an API view"


def test_the_walk_finds_the_site():
    routes = [route for route, _view in views()]
    assert "healthz" in routes
    assert len(routes) > 60


def test_a_view_that_forgets_is_found():
    """Negative control: a bare function and an API view that relies on the default are both reported."""

    def forgotten(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    class Forgotten(APIView):
        pass

    class WideOpen(APIView):
        permission_classes = ()

    assert not says_who_may_enter(forgotten)
    assert not says_who_may_enter(Forgotten.as_view())
    assert not says_who_may_enter(WideOpen.as_view())


def test_the_default_of_the_api_is_no_access():
    assert settings.REST_FRAMEWORK["DEFAULT_PERMISSION_CLASSES"] == [
        "ftplatform.accounts.permissions.NoAccess"
    ]
