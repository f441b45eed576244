"""Health check for load balancers, containers and `make run`. It gives strangers no details."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ftplatform.accounts.permissions import open_to_all
from ftplatform.embedded import broker


@open_to_all
@never_cache
@require_safe
def healthz(_request: HttpRequest) -> JsonResponse:
    """503 without the database. Redis only wakes workers: its absence is reported, but the site works without it."""
    database = _database_answers()
    redis = broker.answers(timeout=0.5)
    words = {True: "ok", False: "down"}
    body = {"status": words[database], "database": words[database], "redis": words[redis]}
    return JsonResponse(body, status=200 if database else 503)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True
