"""Which language a page speaks: reviewers' pages the browser's, where we have it; everybody else's pages English."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers

REVIEWERS_PAGES = ("/r/", "/review/")


class LanguageMiddleware:
    """A campaign's own language goes before the browser's; its views see to that."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(REVIEWERS_PAGES):
            with translation.override(settings.LANGUAGE_CODE):
                return self.get_response(request)
        with translation.override(translation.get_language_from_request(request)):
            response = self.get_response(request)
        patch_vary_headers(response, ("Accept-Language",))
        return response
