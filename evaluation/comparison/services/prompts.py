"""Creates prompt sets from held-out rows, from a file, or from typed prompts."""

from collections.abc import Sequence
from itertools import islice
from typing import IO, Any

from django.db import IntegrityError, transaction

from evaluation.comparison import readers
from evaluation.comparison.services import leakage, tags
from evaluation.models import Prompt, PromptSet
from evaluation.scoring.matching import Inference
from evaluation.scoring.matching.declared import to_json
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from training.intake import selectors
from training.intake.column_mapping import ColumnMapping
from training.intake.conversations import is_single_question
from training.intake.readers.lines import RowError
from training.models import Dataset

MAX_PROMPTS = 100_000
_BATCH = 500


def from_dataset(
    *,
    user: User,
    name: str,
    dataset: Dataset,
    limit: int | None = None,
    tag_fields: Sequence[str] | None = None,
    leakage_reason: str = "",
) -> PromptSet:
    """Take the first `limit` held-out rows of a dataset, from its test split if it has one.

    The training split is never used: a model that has seen a row would recite it. Held-out rows that are also in the
    training split are rejected without a `leakage_reason`. `tag_fields` are input fields to use as tags; see
    `tags.of_rows`.
    """
    split = dataset.held_out_split
    examples = selectors.examples(dataset, split, limit=limit or MAX_PROMPTS)
    rows = [readers.as_prompt(example) for example in examples if is_single_question(example)]
    if several := len(examples) - len(rows):
        said = (
            f"{several:,} of {len(examples):,} held-out rows are conversations of several turns, but a prompt holds "
            "one question. Upload the questions to compare on as a file of prompts."
        )
        raise DomainError("conversation_prompts", said, status=422)
    return create(
        user=user,
        name=name,
        rows=rows,
        source=f"{split} rows of {dataset}",
        dataset=dataset,
        against=dataset,
        tag_fields=tag_fields,
        leakage_reason=leakage_reason,
        schema=dataset.output_schema,
    )


def from_file(
    *,
    user: User,
    name: str,
    file: IO[bytes],
    source_name: str,
    mapping: ColumnMapping | None = None,
    columns: readers.Columns = readers.NO_COLUMNS,
    limit: int | None = None,
    tag_fields: Sequence[str] | None = None,
    against: Dataset | None = None,
    leakage_reason: str = "",
) -> PromptSet:
    """Take the first `limit` rows of a file, see `evaluation.comparison.readers`; all of them must be valid.

    Raises DomainError `invalid_rows` listing each invalid row with its line and field; then nothing is stored.
    """
    read = list(islice(readers.prompts(file, source_name, mapping, columns), limit or MAX_PROMPTS))
    bad = [found for found in read if found.row is None]
    if bad:
        problems = [found.to_json() for found in bad[: readers.MOST_PROBLEMS]]
        raise readers.refused(problems, len(bad), len(read))
    return create(
        user=user,
        name=name,
        rows=[found.row for found in read if found.row],
        source=source_name[:300],
        tag_fields=tag_fields,
        against=against,
        leakage_reason=leakage_reason,
    )


def typed(
    *,
    user: User,
    name: str,
    rows: Sequence[dict[str, Any]],
    against: Dataset | None = None,
    leakage_reason: str = "",
) -> PromptSet:
    """Create from typed prompts: {prompt, input?, expected?, tags?} each, under the same rules as a file."""
    made, problems = [], []
    for number, cells in enumerate(rows, 1):
        try:
            made.append(readers.prompt_of(dict(cells), number))
        except RowError as error:
            problems.append({"line": number, "field": error.field, "message": str(error)})
    if problems:
        raise readers.refused(problems, len(problems), len(rows))
    return create(
        user=user, name=name, rows=made, source="typed in", against=against, leakage_reason=leakage_reason
    )


def create(
    *,
    user: User,
    name: str,
    rows: list[dict[str, Any]],
    source: str,
    dataset: Dataset | None = None,
    against: Dataset | None = None,
    tag_fields: Sequence[str] | None = None,
    leakage_reason: str = "",
    schema: dict[str, Any] | None = None,
    check_name: str = "",
) -> PromptSet:
    """Store checked rows ({id, instruction, input, expected, tags?}) as a prompt set, in one transaction."""
    if not rows:
        raise DomainError("empty_prompt_set", "There are no rows to ask.", status=422)
    found = tags.of_rows(rows, tag_fields)
    finding = leakage.find(rows, against) if against else None
    try:
        with transaction.atomic():
            prompt_set = PromptSet.objects.create(
                name=name,
                dataset=dataset,
                source=source,
                size=len(rows),
                field_rules=to_json(_inferred(rows)),
                schema=schema or {},
                check_name=check_name,
                created_by=user,
            )
            if against and finding:
                leakage.store(
                    user=user, prompt_set=prompt_set, dataset=against, finding=finding, reason=leakage_reason
                )
            stored = Prompt.objects.bulk_create(
                (_prompt_row(prompt_set, row, own) for row, own in zip(rows, found, strict=True)),
                batch_size=_BATCH,
            )
            tags.store(prompt_set, ((prompt.pk, prompt.tags) for prompt in stored))
            audit.record(actor=user, action="prompt_set.create", target=prompt_set, prompts=len(rows))
            return prompt_set
    except IntegrityError:
        if not PromptSet.objects.filter(name=name).exists():
            raise
        raise DomainError("name_taken", f"Another prompt set is already called {name}.") from None


def _prompt_row(prompt_set: PromptSet, row: dict[str, Any], own: tags.Tags) -> Prompt:
    """An unsaved prompt for this row."""
    return Prompt(
        prompt_set=prompt_set,
        key=row["id"],
        instruction=row["instruction"],
        input=row["input"],
        expected=row["expected"],
        tags=own,
    )


def _inferred(rows: list[dict[str, Any]]) -> dict[str, Any]:
    inference = Inference()
    for row in rows:
        if row["expected"] is not None:
            inference.add(row["expected"])
    return inference.declared()
