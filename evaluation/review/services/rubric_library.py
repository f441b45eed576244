"""The rubric library: texts stored as versions that never change."""

import hashlib
from pathlib import Path

from django.db import IntegrityError, transaction

from evaluation import rubrics
from evaluation.models import Rubric, RubricVersion
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError


def check(text: str) -> rubrics.FormDefinition:
    """The form parsed from a text. DomainError `invalid_rubric` gives the line and column of the first error."""
    try:
        return rubrics.parse(text)
    except rubrics.RubricError as error:
        where = {"field": "text", "line": error.line, "column": error.column, "message": error.message}
        raise DomainError("invalid_rubric", str(error), status=400, problems=[where]) from error


def save(*, user: User, name: str, text: str) -> RubricVersion:
    """Save a text under a name. The first text creates the rubric, a different text its next version; the same text
    changes nothing."""
    text = text.replace("\r\n", "\n")
    check(text)
    if not name.strip():
        raise DomainError("name_missing", "Give the rubric a name.", status=400)
    for _ in range(3):
        try:
            with transaction.atomic():
                return _save(user, name.strip(), text)
        except IntegrityError:
            continue  # another tab saved at the same moment; retry
    raise DomainError("busy", "Somebody is saving this rubric at the same time; please try again.")


def _save(user: User, name: str, text: str) -> RubricVersion:
    rubric, _ = Rubric.objects.get_or_create(name=name, defaults={"created_by": user})
    rubric = Rubric.objects.select_for_update().get(pk=rubric.pk)
    digest = hashlib.sha256(text.encode()).hexdigest()
    known = rubric.versions.filter(content_hash=digest).first()
    if known is not None:
        return known
    last = rubric.versions.first()
    version = rubric.versions.create(
        number=last.number + 1 if last else 1, text=text, content_hash=digest, created_by=user
    )
    audit.record(actor=user, action="rubric.save", target=version, name=name, number=version.number)
    return version


def shipped() -> dict[str, str]:
    """The rubrics that come with the product: file name → title."""
    folder = Path(rubrics.__file__).parent / "builtin"
    return {
        file.stem: rubrics.parse(file.read_text(encoding="utf-8")).title
        for file in sorted(folder.glob("*.md"))
    }


def shipped_text(name: str) -> str:
    if name not in shipped():
        raise DomainError("no_such_rubric", f"Shipped rubrics are {', '.join(shipped())}.", status=404)
    return rubrics.builtin(name)
