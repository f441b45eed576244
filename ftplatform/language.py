"""The language of a page: reviewers' pages use the browser's if we have it; all other pages are in English."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers

REVIEWERS_PAGES = ("/r/", "/review/")


class LanguageMiddleware:
    """A campaign's own language takes precedence over the browser's; the views of reviewers' pages set it."""

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
