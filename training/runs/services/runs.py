"""Launch training runs and record their workers' reports."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction

from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from training import checkpoints, integrity
from training.actions import RunAction
from training.artefacts import ArtefactError, verify
from training.config import TrainingConfig
from training.models import Dataset, ModelVersion, SampleGeneration, StepMetric, TrainingRun
from training.runs.selectors import estimates
from training.runs.services import measurements

# Settings that a retry from a checkpoint may change: they affect neither the steps nor the rows per step.
CHANGEABLE = frozenset(
    {
        *("batch_size", "gradient_accumulation", "devices", "evaluate_every", "patience"),
        *("checkpoint_every", "keep_checkpoints", "sample_prompts", "max_hours"),
    }
)


def launch(
    *,
    user: User,
    name: str,
    dataset: Dataset,
    base_model: ModelVersion,
    config: TrainingConfig,
    priority: int = 0,
    idempotency_key: str | None = None,
    retry_of: TrainingRun | None = None,
    from_step: int = 0,
) -> TrainingRun:
    """Freeze dataset, base and configuration into a queued run. The same key returns the same run.

    `retry_of` and `from_step` come from `retry`, which checks them.
    """
    if base_model.kind != ModelVersion.Kind.BASE:
        raise DomainError(
            "not_a_base", f"{base_model} is an adapter. Training starts from a base model.", status=400
        )
    frozen = {
        "name": name,
        "dataset": dataset,
        "base_model": base_model,
        "config": config.model_dump(),
        "priority": priority,
        "retry_of": retry_of,
        "from_step": from_step,
    }
    earlier = jobs.launched_before(TrainingRun, user=user, idempotency_key=idempotency_key, **frozen)
    if earlier is not None:
        return earlier
    if base_model.stage == ModelVersion.Stage.RETIRED:
        raise DomainError("model_retired", f"{base_model} is retired. Choose another base model.")
    integrity.check_before_launch(base_model)
    measurements.require_context(base_model, config)
    measurements.require_end_tokens(dataset, base_model, config)
    expected = estimates.forecast(dataset=dataset, base_model=base_model, config=config, from_step=from_step)
    try:
        with transaction.atomic():
            run = TrainingRun.objects.create(
                kind=Job.Kind.TRAINING,
                idempotency_key=idempotency_key or None,
                created_by=user,
                estimate=expected.to_json() if expected else None,
                **frozen,
            )
            _copy_curves(run)
            audit.record(actor=user, action="training_run.launch", target=run)
            jobs.announce(run)
            return run
    except IntegrityError:
        same = jobs.launched_before(TrainingRun, user=user, idempotency_key=idempotency_key, **frozen)
        if same is None:
            raise
        return same


def _copy_curves(run: TrainingRun) -> None:
    """Copy the retried run's metrics up to the checkpoint, so that this run's curves are complete."""
    if run.retry_of is None or not run.from_step:
        return
    metrics = list(StepMetric.objects.filter(run=run.retry_of, step__lte=run.from_step))
    samples = list(SampleGeneration.objects.filter(run=run.retry_of, step__lte=run.from_step))
    for metric in metrics:
        metric.pk, metric.run = None, run
    for sample in samples:
        sample.pk, sample.run = None, run
    StepMetric.objects.bulk_create(metrics, batch_size=1000)
    SampleGeneration.objects.bulk_create(samples, batch_size=1000)


def retry(
    *,
    user: User,
    run: TrainingRun,
    from_step: int = 0,
    config: TrainingConfig | None = None,
    priority: int = 0,
    idempotency_key: str | None = None,
) -> TrainingRun:
    """Launch a run with the data and base of one that has ended, from one of its checkpoints or, at 0, from the
    start.

    From a checkpoint, `config` may change only settings that leave the steps unchanged (see `CHANGEABLE`). Raises
    DomainError: run_not_finished, checkpoint_missing, checkpoint_config, and those of `launch`.
    """
    if RunAction.RETRY not in run.actions:
        raise DomainError(
            "run_not_finished", "This run has not ended. Resume it if it is paused, or cancel it first."
        )
    before = TrainingConfig.model_validate(run.config)
    config = config or before
    if from_step:
        _check_same_steps(before, config)
        if all(each.step != from_step for each in run.checkpoints):
            raise DomainError(
                "checkpoint_missing",
                f"{run} has no checkpoint of step {from_step}. Choose one from the list, or start from the beginning.",
                status=422,
            )
    return launch(
        user=user,
        name=run.name,
        dataset=run.dataset,
        base_model=run.base_model,
        config=config,
        priority=priority,
        idempotency_key=idempotency_key,
        retry_of=run,
        from_step=from_step,
    )


def _check_same_steps(before: TrainingConfig, after: TrainingConfig) -> None:
    changed = {
        name for name in TrainingConfig.model_fields if getattr(before, name) != getattr(after, name)
    } - CHANGEABLE
    if before.rows_per_step != after.rows_per_step:
        changed |= {"batch_size", "gradient_accumulation", "devices"}
    if changed:
        raise DomainError(
            "checkpoint_config",
            f"A run from a checkpoint must keep its steps, but {', '.join(sorted(changed))} would change them. "
            "Keep the product of batch size, accumulation and devices, or start from the beginning.",
            status=422,
        )


@dataclass(frozen=True)
class Start:
    """The start of an attempt: the run, and where it continues; `step` 0 is the beginning."""

    run: TrainingRun
    checkpoint: Path | None
    step: int


def begin_attempt(claim: jobs.Claim) -> Start:
    """Find where the claimed run continues, and delete metrics that an earlier attempt stored beyond that step.

    It continues from its own newest valid checkpoint, else from the one it was launched from. A damaged one is
    skipped and recorded in the run's events. Raises StaleAttempt, and DomainError `checkpoint_missing` when the
    checkpoint it was launched from is missing or damaged.
    """
    run = TrainingRun.objects.select_related("dataset", "base_model", "created_by", "retry_of").get(
        pk=claim.job_id
    )
    with transaction.atomic():
        jobs.check_current(claim)
    checkpoints.remove_unfinished(run.folder)
    checkpoint, problems = checkpoints.newest_whole(run.folder)
    start = Start(run, checkpoint.path, checkpoint.step) if checkpoint else _launched_from(run)
    with transaction.atomic():
        jobs.check_current(claim)
        run.metrics.filter(step__gt=start.step).delete()
        run.samples.filter(step__gt=start.step).delete()
    for problem in problems:
        jobs.note(claim, problem)
    if start.step:
        jobs.note(claim, f"Continuing from the checkpoint of step {start.step:,}.")
    return start


def _launched_from(run: TrainingRun) -> Start:
    if run.retry_of is None or not run.from_step:
        return Start(run, None, 0)
    checkpoint = next((each for each in run.retry_of.checkpoints if each.step == run.from_step), None)
    try:
        if checkpoint is not None:
            verify(checkpoint.path)
            return Start(run, checkpoint.path, checkpoint.step)
    except ArtefactError as error:
        raise DomainError("checkpoint_missing", f"{error}", status=422) from error
    raise DomainError(
        "checkpoint_missing",
        f"The checkpoint of step {run.from_step} of the retried run is gone. Start from the beginning.",
        status=422,
    )


@transaction.atomic
def record_metrics(claim: jobs.Claim, metrics: list[dict[str, Any]]) -> None:
    """Store step metrics of the current attempt; a repeated step is overwritten."""
    jobs.check_current(claim)
    StepMetric.objects.bulk_create(
        [StepMetric(run_id=claim.job_id, **metric) for metric in metrics],
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["run", "split", "step"],
        update_fields=[
            *("loss", "token_accuracy", "tokens", "learning_rate", "grad_norm"),
            *("tokens_per_second", "memory_bytes"),
        ],
    )


@transaction.atomic
def record_samples(claim: jobs.Claim, step: int, samples: list[dict[str, Any]]) -> None:
    """Store the model's answers after a step; a repeated step is overwritten."""
    jobs.check_current(claim)
    SampleGeneration.objects.bulk_create(
        [SampleGeneration(run_id=claim.job_id, step=step, **sample) for sample in samples],
        update_conflicts=True,
        unique_fields=["run", "step", "index"],
        update_fields=["row_id", "prompt", "expected", "text", "truncated"],
    )


def record_checkpoint(claim: jobs.Claim) -> None:
    """After a completed checkpoint, reset the count of lost attempts and remove checkpoints that need not be kept."""
    jobs.progressed(claim)
    run = TrainingRun.objects.get(pk=claim.job_id)
    config = TrainingConfig.model_validate(run.config)
    checkpoints.prune(run.folder, keep=config.keep_checkpoints, keep_best=config.patience > 0)


def discard_checkpoints(*, user: User, run: TrainingRun) -> None:
    """Delete the checkpoints of a run that has ended to free disk space. Only a retry from the start remains
    possible."""
    if RunAction.DISCARD_CHECKPOINTS not in run.actions:
        raise DomainError("run_not_finished", "This run has not ended and still needs its checkpoints.")
    checkpoints.remove_all(run.folder)
    audit.record(actor=user, action="training_run.discard_checkpoints", target=run)
