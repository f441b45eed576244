"""Errors as a page for people and as an RFC 9457 problem document for API clients."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

PROBLEM_TYPE = "application/problem+json"


class DomainError(Exception):
    """A violated rule or a lost race. `code` is stable; `detail` is one sentence for the person who caused it.

    `problems` may list locations: dictionaries with at least `message`, and `line` or `field` where known.
    """

    def __init__(
        self, code: str, detail: str, *, status: int = 409, problems: Sequence[dict[str, Any]] = ()
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = status
        self.problems = list(problems)
        # Further members of the problem document (RFC 9457, 3.2), such as how to solve the problem.
        self.extra: dict[str, Any] = {}
        # Seconds after which the same request may succeed.
        self.retry_after: int | None = None

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "type": f"urn:ftplatform:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.problems:
            document["problems"] = self.problems
        return document | self.extra


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: every API error is a problem document with a stable code."""
    headers: dict[str, str] = {}
    if isinstance(error, DomainError):
        domain = error
    elif isinstance(error, Http404):
        domain = DomainError("not_found", "Not found, or you do not have access.", status=404)
    elif isinstance(error, exceptions.ValidationError):
        domain = DomainError(
            "invalid", "Some fields are not valid.", status=400, problems=_field_problems(error.detail)
        )
    elif isinstance(error, exceptions.APIException):
        domain = DomainError(str(error.default_code), str(error.detail), status=error.status_code)
        if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
            headers["WWW-Authenticate"] = "Bearer"
        wait = getattr(error, "wait", None)
        if wait is not None:
            headers["Retry-After"] = str(int(wait) + 1)
    else:
        return None
    if domain.retry_after is not None:
        headers["Retry-After"] = str(domain.retry_after)
    return Response(domain.document(), status=domain.status, content_type=PROBLEM_TYPE, headers=headers)


def _field_problems(detail: Any, prefix: str = "") -> list[dict[str, Any]]:
    if isinstance(detail, dict):
        return [
            problem
            for field, inner in detail.items()
            for problem in _field_problems(inner, f"{prefix}.{field}" if prefix else str(field))
        ]
    if isinstance(detail, list) and any(isinstance(inner, dict | list) for inner in detail):
        return [
            problem
            for index, inner in enumerate(detail)
            for problem in _field_problems(inner, f"{prefix}[{index}]")
        ]
    messages = detail if isinstance(detail, list) else [detail]
    return [{"field": prefix or "body", "message": str(message)} for message in messages]


class DomainErrorMiddleware:
    """Render a DomainError raised by a page. The API renders its own through `problem_response`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, DomainError):
            return None
        if _is_api(request):
            return _problem_document(error)
        context = {"error": error, "back": _came_from(request)}
        return render(request, "problem.html", context, status=error.status)


def _came_from(request: HttpRequest) -> str:
    """The page of this site whose form or link led here; "" if the browser does not say or if it is this page."""
    page = request.headers.get("Referer", "")
    ours = url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure())
    itself = request.method == "GET" and page == request.build_absolute_uri()
    return page if ours and not itself else ""


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def _problem_document(error: DomainError) -> HttpResponse:
    return JsonResponse(error.document(), status=error.status, content_type=PROBLEM_TYPE)


# Errors outside any endpoint (unknown path, invalid id, crash): under /api/ they are problem documents too.


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 2**20
        error = DomainError(
            "too_large", f"The request is too large. Send at most {most} MB at once.", status=413
        )
        if _is_api(request):
            return _problem_document(error)
        return render(request, "problem.html", {"error": error}, status=413)
    if _is_api(request):
        return _problem_document(DomainError("bad_request", "The request could not be read.", status=400))
    return defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return _problem_document(DomainError("forbidden", "You are not allowed to do this.", status=403))
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return _problem_document(
            DomainError("not_found", "Not found, or you do not have access.", status=404)
        )
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if _is_api(request):
        message = "Something went wrong. The server log has the details."
        return _problem_document(DomainError("internal", message, status=500))
    return defaults.server_error(request)
