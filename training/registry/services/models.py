"""Register base models, adapters and external systems, check that their files are unchanged, and change their stage."""

from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from ftplatform.jobs.services import Claim, check_current
from training.integrity import inspect
from training.models import ModelVersion, StageChange, TrainingRun
from training.registry.services import probing

# The bundled base has two million parameters; the smallest models in real use have about 100 million.
TOY_PARAMETERS = 20_000_000


def register_base(
    *,
    user: User,
    name: str,
    path: str,
    licence: str = "",
    hub_reference: str = "",
    origin: dict[str, Any] | None = None,
) -> ModelVersion:
    """Check a local folder and register it. The same name with the same weights returns the existing model.

    `origin` is added to its details: what its files were made from. Raises DomainError with a code of
    `model_folder.inspect`, relative_path, name_taken, or that of a chat template that loses text.

    A toy model is recognised by its size, regardless of who registers it and where it is stored.
    """
    folder = Path(path)
    if not folder.is_absolute():
        raise DomainError(
            "relative_path", "Enter the absolute path of the folder, beginning with /.", status=400
        )
    facts = inspect(folder)
    template = probing.supported(folder, facts)
    try:
        with transaction.atomic():
            model, created = ModelVersion.objects.get_or_create(
                name=name,
                defaults={
                    "kind": ModelVersion.Kind.BASE,
                    "path": str(folder),
                    "weights_hash": facts.weights_hash,
                    "details": facts.to_json()
                    | ({"template": template} if template else {})
                    | (origin or {}),
                    "licence": licence,
                    "hub_reference": hub_reference,
                    "is_demo": facts.parameters < TOY_PARAMETERS,
                    "created_by": user,
                    "verified_at": Now(),
                },
            )
            if created:
                audit.record(actor=user, action="model.register", target=model, hub_reference=hub_reference)
    except IntegrityError:
        raise DomainError("name_taken", f"Another model is already called {name}.") from None
    if model.weights_hash != facts.weights_hash or model.kind != ModelVersion.Kind.BASE:
        raise DomainError("name_taken", f"Another model is already called {name}. Choose a different name.")
    if created:
        model.refresh_from_db(fields=["verified_at"])
    return model


def register_external(*, user: User, name: str) -> ModelVersion:
    """Register an external system, known by its name only: an endpoint serves it, or its responses are imported."""
    try:
        with transaction.atomic():
            model, created = ModelVersion.objects.get_or_create(
                name=name, defaults={"kind": ModelVersion.Kind.EXTERNAL, "created_by": user}
            )
            if created:
                audit.record(actor=user, action="model.register_external", target=model)
    except IntegrityError:
        raise DomainError("name_taken", f"Another model is already called {name}.") from None
    if model.kind != ModelVersion.Kind.EXTERNAL:
        raise DomainError("name_taken", f"Another model is already called {name}. Choose a different name.")
    return model


def mark_verified(claim: Claim, model: ModelVersion) -> None:
    with transaction.atomic():
        check_current(claim)
        ModelVersion.objects.filter(pk=model.pk).update(verified_at=Now())


@transaction.atomic
def set_stage(*, user: User, model: ModelVersion, stage: str, reason: str) -> None:
    """Move a model to another stage, with the reason. Raises DomainError: reason_missing, same_stage, and
    stage_changed when another user moved it in the meantime."""
    if not reason.strip():
        raise DomainError(
            "reason_missing", "Enter a reason. Later users of the model will need it.", status=400
        )
    if stage == model.stage:
        raise DomainError("same_stage", f"{model} is already {model.get_stage_display().lower()}.")
    if not ModelVersion.objects.filter(pk=model.pk, stage=model.stage).update(stage=stage):
        raise DomainError(
            "stage_changed", "Another user changed the stage meanwhile. Reload the page and try again."
        )
    StageChange.objects.create(
        model=model, old=model.stage, new=stage, reason=reason.strip(), changed_by=user
    )
    audit.record(
        actor=user, action="model.stage", target=model, old=model.stage, new=stage, reason=reason.strip()
    )


@transaction.atomic
def set_licence(*, user: User, model: ModelVersion, licence: str) -> None:
    ModelVersion.objects.filter(pk=model.pk).update(licence=licence.strip())
    audit.record(actor=user, action="model.licence", target=model, old=model.licence, new=licence.strip())


@transaction.atomic
def add_adapter(
    *, claim: Claim, run: TrainingRun, path: str, weights_hash: str, facts: dict[str, Any]
) -> ModelVersion:
    """Store the adapter of a finished attempt; idempotent."""
    check_current(claim)
    adapter, created = ModelVersion.objects.get_or_create(
        run=run,
        defaults={
            "name": f"{run.name}-{str(run.pk)[:8]}",
            "kind": ModelVersion.Kind.ADAPTER,
            "path": path,
            "weights_hash": weights_hash,
            "base": run.base_model,
            "details": {"method": run.config["method"], "lora_r": run.config["lora_r"]},
            "licence": run.base_model.licence,
            "is_demo": run.base_model.is_demo,
            "created_by": run.created_by,
            "verified_at": Now(),
        },
    )
    if created:
        TrainingRun.objects.filter(pk=run.pk).update(facts=facts)
    return adapter
