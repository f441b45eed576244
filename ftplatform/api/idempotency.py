"""Idempotency keys for every write endpoint: a repeated request gets the first answer and changes nothing.

A unique row claims the key before the work begins and stores the answer afterwards. Only successful answers are
kept, so a rejected request can be corrected and sent again with the same key. A repeat that arrives while the first
request is still running waits for it. If the process dies, its claim never gets an answer; it is dropped after
`ABANDONED`.
"""

import hashlib
import json
import time
from datetime import timedelta
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from ftplatform.accounts.models import User
from ftplatform.api.models import AnsweredWrite
from ftplatform.errors import DomainError

KEPT = timedelta(days=1)
ABANDONED = timedelta(minutes=10)
WAIT_SECONDS = 10.0
_POLL_SECONDS = 0.1


def begin(*, user: User, key: str, request: Request) -> AnsweredWrite | Response:
    """Claim the key, or return the answer to the first request that used it.

    Raises DomainError `idempotency_mismatch` when the key was used for a different request, and `still_working` when
    the first request is still running after `WAIT_SECONDS`.
    """
    fingerprint = _fingerprint(request)
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        mine = AnsweredWrite.objects.filter(user=user)
        mine.filter(at__lt=Now() - KEPT).delete()
        mine.filter(key=key, status=None, at__lt=Now() - ABANDONED).delete()
        try:
            with transaction.atomic():
                return AnsweredWrite.objects.create(user=user, key=key, request_hash=fingerprint)
        except IntegrityError:
            earlier = mine.filter(key=key).first()
        if earlier is not None and earlier.request_hash != fingerprint:
            raise DomainError(
                "idempotency_mismatch",
                "This idempotency key was already used for something else.",
                status=422,
            )
        if earlier is not None and earlier.status is not None:
            return Response(earlier.body, status=earlier.status, headers={"Idempotent-Replayed": "true"})
        if time.monotonic() > deadline:
            raise DomainError(
                "still_working",
                "The first request with this idempotency key is still at work; ask again later.",
            )
        time.sleep(_POLL_SECONDS)


def finish(claimed: AnsweredWrite, response: Response) -> None:
    """Store a successful answer; release the key after any other."""
    row = AnsweredWrite.objects.filter(pk=claimed.pk)
    if 200 <= response.status_code < 300:
        body = None if response.data is None else json.loads(JSONRenderer().render(response.data))
        row.update(status=response.status_code, body=body)
    else:
        row.delete()


def give_back(claimed: AnsweredWrite) -> None:
    AnsweredWrite.objects.filter(pk=claimed.pk).delete()


def _fingerprint(request: Request) -> str:
    digest = hashlib.sha256(f"{request.method} {request.path}\n".encode())
    data: Any = request.data
    if hasattr(data, "lists"):  # a form: hash every value of every field, and the content of files
        for name, values in sorted(data.lists()):
            for value in values:
                digest.update(f"{name}=".encode())
                digest.update(_content_hash(value))
    else:
        digest.update(json.dumps(data, sort_keys=True, ensure_ascii=False).encode())
    return digest.hexdigest()


def _content_hash(value: Any) -> bytes:
    if not isinstance(value, UploadedFile):
        return hashlib.sha256(str(value).encode()).digest()
    digest = hashlib.sha256(f"{value.name}\n".encode())
    for chunk in value.chunks():
        digest.update(chunk)
    value.seek(0)
    return digest.digest()
