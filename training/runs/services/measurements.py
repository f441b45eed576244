"""Measure datasets with a base model's tokenizer, and refuse runs that would cut off a row's end token."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from ftplatform import queues
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from training.config import TrainingConfig
from training.models import Dataset, Measurement, ModelVersion

TRAINED_ON = ("train", "validation")
_LISTED = 1000


@dataclass(frozen=True)
class LongRows:
    """Rows longer than a limit: how many of how many, the longest in tokens, the first of them by length, and whether
    every split keeps a row without them."""

    rows: int
    of: int
    longest: int
    first: list[dict[str, Any]]
    can_be_left_out: bool


def launch(*, user: User, dataset: Dataset, base_model: ModelVersion) -> Measurement:
    """Queue a measurement, or return the existing one, because the same rows and tokenizer give the same result."""
    if base_model.kind not in (ModelVersion.Kind.BASE, ModelVersion.Kind.MERGED):
        message = f"{base_model} has no tokenizer of its own. Measure with its base model."
        raise DomainError("not_a_base", message, status=400)
    earlier = latest(dataset, base_model)
    if earlier is not None:
        return earlier
    with transaction.atomic():
        measurement = Measurement.objects.create(
            kind=Job.Kind.MEASUREMENT,
            queue=queues.CPU,
            dataset=dataset,
            base_model=base_model,
            weights_hash=base_model.weights_hash,
            created_by=user,
        )
        audit.record(actor=user, action="measurement.launch", target=measurement)
        jobs.announce(measurement)
    return measurement


def latest(dataset: Dataset, base_model: ModelVersion) -> Measurement | None:
    """The newest measurement with the current registration of this base that succeeded or is not finished."""
    gone = (Job.Status.FAILED, Job.Status.CANCELLED)
    same = Measurement.objects.filter(
        dataset=dataset, base_model=base_model, weights_hash=base_model.weights_hash
    )
    return same.exclude(status__in=gone).first()


@transaction.atomic
def begin_attempt(claim: jobs.Claim) -> Measurement:
    jobs.check_current(claim)
    return Measurement.objects.select_related("dataset", "base_model").get(pk=claim.job_id)


@transaction.atomic
def complete(claim: jobs.Claim, result: dict[str, Any]) -> None:
    jobs.check_current(claim)
    Measurement.objects.filter(pk=claim.job_id).update(result=result)


def long_rows(measurement: Measurement, max_length: int) -> LongRows:
    """Rows of the training and validation splits that would lose their end token at `max_length`. All are counted;
    the 1,000 longest of each split can be listed."""
    splits = {name: measurement.result["splits"][name] for name in TRAINED_ON}
    counts = [pair for split in splits.values() for pair in split["counts"]]
    listed = [
        {"split": name, **row}
        for name, split in splits.items()
        for row in split["longest"]
        if row["tokens"] > max_length
    ]
    return LongRows(
        rows=sum(count for length, count in counts if length > max_length),
        of=sum(count for _, count in counts),
        longest=max((length for length, _ in counts), default=0),
        first=sorted(listed, key=lambda row: -row["tokens"])[:_LISTED],
        can_be_left_out=all(
            any(length <= max_length for length, _ in split["counts"]) for split in splits.values()
        ),
    )


def require_context(base_model: ModelVersion, config: TrainingConfig) -> None:
    """Raise DomainError `max_length_too_long` if rows could be longer than what the base model reads."""
    context = base_model.details.get("context_length")
    if context and config.max_length > context:
        raise DomainError(
            "max_length_too_long",
            f"max_length is {config.max_length:,} tokens, but {base_model} reads only {context:,}. Lower it to "
            f"{context:,} or less.",
            status=422,
            problems=[{"field": "max_length", "message": f"At most {context:,} for {base_model}."}],
        )


def require_end_tokens(dataset: Dataset, base_model: ModelVersion, config: TrainingConfig) -> None:
    """Raise DomainError `rows_too_long`, with each row's length and possible remedies, when a measurement shows that
    a row would lose its end token. Without a measurement, the run checks this before its first step."""
    measured = latest(dataset, base_model)
    if measured is None or measured.status != Job.Status.SUCCEEDED or config.long_rows == "drop":
        return
    long = long_rows(measured, config.max_length)
    if not long.rows:
        return
    remedies = _remedies(measured, long)
    error = DomainError(
        "rows_too_long",
        f"{long.rows:,} of {long.of:,} rows are longer than max_length ({config.max_length:,} tokens) and would lose "
        "their end token. A model trained on them never learns to stop. "
        f"{', or '.join(_in_a_sentence(remedies))} and shorten them in a new version.",
        status=422,
        problems=[
            {
                "field": "max_length",
                "row": row["id"],
                "tokens": row["tokens"],
                "message": f"Row {row['id']} ({row['split']}) has {row['tokens']:,} tokens.",
            }
            for row in long.first
        ],
    )
    error.extra = {"remedies": remedies}
    raise error


def _in_a_sentence(remedies: list[dict[str, Any]]) -> list[str]:
    first, *others = (str(remedy["label"]) for remedy in remedies)
    return [first, *(label[0].lower() + label[1:] for label in others)]


def _remedies(measured: Measurement, long: LongRows) -> list[dict[str, Any]]:
    """Possible remedies, as configuration values where that applies."""
    context = measured.result["context"]
    remedies: list[dict[str, Any]] = []
    if context is None or long.longest <= context:
        raised = {"label": f"Raise max_length to {long.longest:,}", "config": {"max_length": long.longest}}
        remedies.append({"remedy": "raise_max_length", **raised})
    if long.can_be_left_out:
        dropped = {"label": f"Skip {long.rows:,} rows", "config": {"long_rows": "drop"}}
        remedies.append({"remedy": "drop_rows", **dropped})
    remedies.append(
        {"remedy": "mend_dataset", "label": "Open the dataset", "dataset": str(measured.dataset_id)}
    )
    return remedies
