"""Making prompt sets."""

from collections.abc import Sequence
from itertools import islice
from typing import IO, Any

from django.db import IntegrityError, transaction

from evaluation.models import Prompt, PromptSet
from evaluation.services import tags
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from training import selectors as training
from training.models import Dataset
from training.services.rows import ColumnMapping, read

MAX_PROMPTS = 100_000


def from_dataset(
    *,
    user: User,
    name: str,
    dataset: Dataset,
    limit: int | None = None,
    tag_fields: Sequence[str] | None = None,
) -> PromptSet:
    """Take the first `limit` held-out rows of a dataset: of its test split where it has one.

    The training split is never used: a model that has seen a row would be asked to recite it. `tag_fields` are
    input fields that become tags, see `tags.of_rows`.
    """
    examples = training.examples(dataset, dataset.held_out_split, limit=limit or MAX_PROMPTS)
    return _create(user=user, name=name, dataset=dataset, rows=examples, tag_fields=tag_fields)


def from_file(
    *,
    user: User,
    name: str,
    file: IO[bytes],
    source_name: str,
    mapping: ColumnMapping | None,
    limit: int | None = None,
    tag_fields: Sequence[str] | None = None,
) -> PromptSet:
    """Take the first `limit` rows of a file of JSON lines, or of a CSV with `mapping`; all of them must be good.

    Raises DomainError `invalid_rows` listing each bad row with its line; then nothing is stored.
    """
    rows = list(islice(read(file, source_name, mapping), limit or MAX_PROMPTS))
    problems = [{"line": row.line, "message": row.problem} for row in rows if row.example is None]
    if problems:
        raise DomainError(
            "invalid_rows",
            f"{len(problems):,} of {len(rows):,} rows cannot be used and nothing was stored; "
            "mend the listed lines and try again.",
            status=422,
            problems=problems,
        )
    examples = [row.example for row in rows if row.example]
    return _create(user=user, name=name, dataset=None, rows=examples, tag_fields=tag_fields)


def _create(
    *,
    user: User,
    name: str,
    dataset: Dataset | None,
    rows: list[dict[str, Any]],
    tag_fields: Sequence[str] | None,
) -> PromptSet:
    found = tags.of_rows(rows, tag_fields)
    try:
        with transaction.atomic():
            prompt_set = PromptSet.objects.create(name=name, dataset=dataset, size=0, created_by=user)
            made = Prompt.objects.bulk_create(
                (
                    Prompt(
                        prompt_set=prompt_set,
                        key=row["id"],
                        instruction=row["instruction"],
                        input=row["input"],
                        expected=row["output"],
                        tags=tagged,
                    )
                    for row, tagged in zip(rows, found, strict=True)
                ),
                batch_size=500,
            )
            if not made:
                raise DomainError("empty_prompt_set", "There are no held-out rows to ask.", status=422)
            prompt_set.size = len(made)
            prompt_set.save(update_fields=["size"])
            audit.record(actor=user, action="prompt_set.create", target=prompt_set, prompts=len(made))
            return prompt_set
    except IntegrityError:
        if not PromptSet.objects.filter(name=name).exists():
            raise
        raise DomainError("name_taken", f"Another prompt set is already called {name}.") from None
