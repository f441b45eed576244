"""Access to datasets, models and runs. All code obtains them here, so access is decided in one place."""

from typing import TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from django.http import Http404

from ftplatform.accounts.models import User
from ftplatform.accounts.permissions import Staff, has_role
from ftplatform.jobs.models import Job
from training.models import Dataset, Measurement, ModelVersion, TrainingRun

M = TypeVar("M", bound=Model)


def visible(queryset: QuerySet[M], user: User) -> QuerySet[M]:
    """Reviewers see no training data: its names and numbers could reveal which model wrote a response."""
    return queryset if has_role(user, Staff) else queryset.none()


def get_or_404(queryset: QuerySet[M], pk: UUID) -> M:
    instance = queryset.filter(pk=pk).first()
    if instance is None:
        raise Http404
    return instance


def datasets(*, user: User) -> QuerySet[Dataset]:
    return visible(Dataset.objects.select_related("created_by"), user)


def dataset(*, user: User, pk: UUID) -> Dataset:
    return get_or_404(datasets(user=user), pk)


def measurements(*, user: User) -> QuerySet[Measurement]:
    return visible(Measurement.objects.select_related("dataset", "base_model", "created_by"), user)


def measurement(*, user: User, pk: UUID) -> Measurement:
    return get_or_404(measurements(user=user), pk)


def models(*, user: User) -> QuerySet[ModelVersion]:
    return visible(ModelVersion.objects.select_related("base", "run", "merged"), user)


def base_models(*, user: User) -> QuerySet[ModelVersion]:
    return models(user=user).filter(kind=ModelVersion.Kind.BASE).exclude(stage=ModelVersion.Stage.RETIRED)


def adapters(*, user: User) -> QuerySet[ModelVersion]:
    """Adapters of successful runs. A run cancelled at the last moment may leave an adapter that must not be used."""
    complete = Q(run__isnull=True) | Q(run__status=TrainingRun.Status.SUCCEEDED)
    current = models(user=user).filter(complete, kind=ModelVersion.Kind.ADAPTER)
    return current.exclude(stage=ModelVersion.Stage.RETIRED)


def tuned_models(*, user: User) -> QuerySet[ModelVersion]:
    """Adapters and merged models that a worker can load today."""
    merged = models(user=user).filter(kind=ModelVersion.Kind.MERGED).exclude(stage=ModelVersion.Stage.RETIRED)
    return models(user=user).filter(
        Q(pk__in=adapters(user=user).values("pk")) | Q(pk__in=merged.values("pk"))
    )


def local_models(*, user: User) -> QuerySet[ModelVersion]:
    """Base, adapter and merged models that a worker can load today."""
    return models(user=user).filter(
        Q(pk__in=base_models(user=user).values("pk")) | Q(pk__in=tuned_models(user=user).values("pk"))
    )


def served_models(*, user: User) -> QuerySet[ModelVersion]:
    """Every model that an endpoint may serve: models that workers can load, and external systems."""
    elsewhere = models(user=user).filter(kind=ModelVersion.Kind.EXTERNAL)
    current = elsewhere.exclude(stage=ModelVersion.Stage.RETIRED)
    return models(user=user).filter(
        Q(pk__in=local_models(user=user).values("pk")) | Q(pk__in=current.values("pk"))
    )


def model(*, user: User, pk: UUID) -> ModelVersion:
    related = (
        "base",
        "run__dataset",
        "run__base_model",
        "source__run__dataset",
        "source__base",
        "created_by",
    )
    return get_or_404(visible(ModelVersion.objects.select_related(*related), user), pk)


def runs(*, user: User) -> QuerySet[TrainingRun]:
    # All rows have this kind; the explicit filter lets the query use the index of the newest jobs.
    rows = TrainingRun.objects.filter(kind=Job.Kind.TRAINING)
    return visible(rows.select_related("dataset", "base_model", "created_by", "adapter"), user)


def run(*, user: User, pk: UUID) -> TrainingRun:
    return get_or_404(runs(user=user), pk)
