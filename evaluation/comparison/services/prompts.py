"""Creates prompt sets from held-out rows, from a file, or from typed prompts."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import IO, Any

from django.db import IntegrityError, transaction

from evaluation.comparison import readers
from evaluation.comparison.row_fields import content_fields, prompt_of
from evaluation.comparison.services import leakage, tags
from evaluation.models import Prompt, PromptSet
from evaluation.scoring.matching import Inference
from evaluation.scoring.matching.declared import to_json
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from training.intake import selectors
from training.intake.column_mapping import ColumnMapping
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
    leave_out_leaked: bool = False,
) -> PromptSet:
    """Take the first `limit` held-out rows of a dataset, from its test split if it has one.

    The training split is never used: a model that has seen a row would recite it. Held-out rows that are also in the
    training split are left out on request, or rejected without a `leakage_reason`. `tag_fields` are input fields to
    use as tags; see `tags.of_rows`.
    """
    split = dataset.held_out_split
    examples = selectors.examples(dataset, split, limit=limit or MAX_PROMPTS)
    rows = [readers.as_prompt(example) for example in examples]
    # A schema describes tool calls as they are stored, with ids, and not as they are matched.
    has_calls = any(row["expected"] != example["output"] for row, example in zip(rows, examples, strict=True))
    return create(
        user=user,
        name=name,
        rows=rows,
        source=f"{split} rows of {dataset}",
        dataset=dataset,
        against=dataset,
        tag_fields=tag_fields,
        leakage_reason=leakage_reason,
        leave_out_leaked=leave_out_leaked,
        schema={} if has_calls else dataset.output_schema,
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
    leave_out_leaked: bool = False,
) -> PromptSet:
    """Take the first `limit` rows of a file, see `evaluation.comparison.readers`; all of them must be valid.

    Raises DomainError `invalid_rows` listing each invalid row with its line and field; then nothing is stored.
    """
    read = list(islice(readers.prompts(file, source_name, mapping, columns), limit or MAX_PROMPTS))
    bad = [item for item in read if item.row is None]
    if bad:
        problems = [item.to_json() for item in bad[: readers.MOST_PROBLEMS]]
        raise readers.refused(problems, len(bad), len(read))
    return create(
        user=user,
        name=name,
        rows=[item.row for item in read if item.row],
        source=source_name[:300],
        tag_fields=tag_fields,
        against=against,
        leakage_reason=leakage_reason,
        leave_out_leaked=leave_out_leaked,
    )


def typed(
    *,
    user: User,
    name: str,
    rows: Sequence[dict[str, Any]],
    against: Dataset | None = None,
    leakage_reason: str = "",
    leave_out_leaked: bool = False,
) -> PromptSet:
    """Create from typed prompts: {prompt or messages, expected?, tags?, …} each, under the same rules as a file."""
    prompts, problems = [], []
    for number, cells in enumerate(rows, 1):
        try:
            prompts.append(prompt_of(dict(cells), number))
        except RowError as error:
            problems.append({"line": number, "field": error.field, "message": str(error)})
    if problems:
        raise readers.refused(problems, len(problems), len(rows))
    return create(
        user=user,
        name=name,
        rows=prompts,
        source="typed in",
        against=against,
        leakage_reason=leakage_reason,
        leave_out_leaked=leave_out_leaked,
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
    leave_out_leaked: bool = False,
    schema: dict[str, Any] | None = None,
    check_name: str = "",
) -> PromptSet:
    """Store checked rows ({id, expected, tags?} with `Prompt.content`) as a prompt set, in one transaction.

    Prompts in the training split of `against` are left out on request, or need a `leakage_reason`. Raises DomainError
    `leakage`, `empty_prompt_set`, `name_taken`, `unknown_tag_field`.
    """
    finding = leakage.find(rows, against) if against else None
    if finding and leave_out_leaked and not finding.clean:
        rows = [row for row in rows if row["id"] not in finding.keys]
        source = _without(source, len(finding.keys), str(against))
        finding = leakage.Finding()
    if not rows:
        raise DomainError("empty_prompt_set", "There are no rows to ask.", status=422)
    found = tags.of_rows(rows, tag_fields)
    prompt_set = PromptSet(
        name=name,
        dataset=dataset,
        source=source,
        size=len(rows),
        field_rules=to_json(_inferred(rows)),
        schema=schema or {},
        check_name=check_name,
        created_by=user,
    )
    checks = [(against, finding)] if against and finding else []
    prompts = (_prompt_row(prompt_set, row, own) for row, own in zip(rows, found, strict=True))
    return _store(user, prompt_set, prompts, checks, leakage_reason)


def without(
    *, user: User, prompt_set: PromptSet, keys: Collection[str], datasets: Sequence[Dataset]
) -> PromptSet:
    """A prompt set with the same prompts and rules, without those that are in the training splits of `datasets`.

    The same request gives the same prompt set. Raises DomainError `empty_prompt_set`.
    """
    source = _without(prompt_set.name, len(keys), " and ".join(map(str, datasets)))
    for name in _names(prompt_set.name, len(keys)):
        known = PromptSet.objects.filter(name=name).first()
        if known is None:
            break
        if known.source == source:
            return known
    left = [prompt for prompt in prompt_set.prompts.all() if prompt.key not in keys]
    if not left:
        raise DomainError("empty_prompt_set", "All prompts are in the training data.", status=422)
    made = PromptSet(name=name, source=source, size=len(left), created_by=user)
    for field in ("dataset", "field_rules", "schema", "check_name"):
        setattr(made, field, getattr(prompt_set, field))
    for prompt in left:
        prompt.pk, prompt.prompt_set = None, made
    return _store(user, made, left, [(dataset, leakage.Finding()) for dataset in datasets], "")


def _without(source: str, count: int, named: str) -> str:
    return f"{source[:100]}, without {count:,} prompts in the training data of {named}"[:300]


def _names(name: str, count: int) -> Iterator[str]:
    first = f"{name[:60]}, without {count:,} trained prompts"
    yield first
    yield from (f"{first} ({number})" for number in range(2, 100))


def _store(
    user: User,
    prompt_set: PromptSet,
    prompts: Iterable[Prompt],
    checks: Sequence[tuple[Dataset, leakage.Finding]],
    reason: str,
) -> PromptSet:
    try:
        with transaction.atomic():
            prompt_set.save(force_insert=True)
            for dataset, finding in checks:
                leakage.store(
                    user=user, prompt_set=prompt_set, dataset=dataset, finding=finding, reason=reason
                )
            stored = Prompt.objects.bulk_create(prompts, batch_size=_BATCH)
            tags.store(prompt_set, ((prompt.pk, prompt.tags) for prompt in stored))
            audit.record(actor=user, action="prompt_set.create", target=prompt_set, prompts=prompt_set.size)
            return prompt_set
    except IntegrityError:
        if not PromptSet.objects.filter(name=prompt_set.name).exists():
            raise
        raise DomainError("name_taken", f"Another prompt set is already called {prompt_set.name}.") from None


def _prompt_row(prompt_set: PromptSet, row: dict[str, Any], own: tags.Tags) -> Prompt:
    """An unsaved prompt for this row."""
    return Prompt(
        prompt_set=prompt_set,
        key=row["id"],
        **content_fields(row),
        expected=row["expected"],
        tags=own,
    )


def _inferred(rows: list[dict[str, Any]]) -> dict[str, Any]:
    inference = Inference()
    for row in rows:
        if row["expected"] is not None:
            inference.add(row["expected"])
    return inference.declared()
