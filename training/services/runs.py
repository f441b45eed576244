"""Launching training runs and recording what their workers report."""

from typing import Any

from django.db import IntegrityError, transaction

from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from training.config import TrainingConfig
from training.models import Dataset, ModelVersion, StepMetric, TrainingRun
from training.services import models as model_services


def launch(
    *,
    user: User,
    name: str,
    dataset: Dataset,
    base_model: ModelVersion,
    config: TrainingConfig,
    priority: int = 0,
    idempotency_key: str | None = None,
) -> TrainingRun:
    """Freeze dataset, base and configuration into a queued run. The same key answers with the same run."""
    if base_model.kind != ModelVersion.Kind.BASE:
        raise DomainError(
            "not_a_base", f"{base_model} is an adapter; training starts from a base model.", status=400
        )
    frozen = {
        "name": name,
        "dataset": dataset,
        "base_model": base_model,
        "config": config.model_dump(),
        "priority": priority,
    }
    earlier = jobs.launched_before(TrainingRun, user=user, idempotency_key=idempotency_key, **frozen)
    if earlier is not None:
        return earlier
    model_services.check_unchanged(base_model)
    try:
        with transaction.atomic():
            run = TrainingRun.objects.create(
                kind=Job.Kind.TRAINING, idempotency_key=idempotency_key or None, created_by=user, **frozen
            )
            audit.record(actor=user, action="training_run.launch", target=run)
            jobs.announce(run)
            return run
    except IntegrityError:
        same = jobs.launched_before(TrainingRun, user=user, idempotency_key=idempotency_key, **frozen)
        if same is None:
            raise
        return same


@transaction.atomic
def begin_attempt(claim: jobs.Claim) -> TrainingRun:
    """Read the claimed run and drop what an earlier attempt measured: every attempt starts from the first step."""
    jobs.check_current(claim)
    run = TrainingRun.objects.select_related("dataset", "base_model", "created_by").get(pk=claim.job_id)
    run.metrics.all().delete()
    return run


@transaction.atomic
def record_metrics(claim: jobs.Claim, metrics: list[dict[str, Any]]) -> None:
    """Store step metrics of the current attempt; a repeated step overwrites itself."""
    jobs.check_current(claim)
    StepMetric.objects.bulk_create(
        [StepMetric(run_id=claim.job_id, **metric) for metric in metrics],
        update_conflicts=True,
        unique_fields=["run", "split", "step"],
        update_fields=["loss", "token_accuracy", "tokens", "learning_rate", "grad_norm"],
    )
