"""Registering base models and adapters."""

from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction

from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from ftplatform.jobs.services import Claim, check_current
from training import model_folder
from training.models import ModelVersion, TrainingRun


def register_base(*, user: User, name: str, path: str, is_demo: bool = False) -> ModelVersion:
    """Check a local folder and register it. The same name with the same weights answers with what is there."""
    folder = Path(path)
    if not folder.is_absolute():
        raise DomainError("relative_path", "Give the folder's whole path, beginning with /.", status=400)
    try:
        facts = model_folder.inspect(folder)
    except model_folder.ModelFolderError as error:
        raise DomainError(error.code, str(error), status=422) from error
    try:
        with transaction.atomic():
            model, created = ModelVersion.objects.get_or_create(
                name=name,
                defaults={
                    "kind": ModelVersion.Kind.BASE,
                    "path": str(folder),
                    "weights_hash": facts.weights_hash,
                    "details": facts.to_json(),
                    "is_demo": is_demo,
                    "created_by": user,
                },
            )
            if created:
                audit.record(actor=user, action="model.register", target=model)
    except IntegrityError:
        raise DomainError("name_taken", f"Another model is already called {name}.") from None
    if model.weights_hash != facts.weights_hash or model.kind != ModelVersion.Kind.BASE:
        raise DomainError("name_taken", f"Another model is already called {name}; choose a different name.")
    return model


def check_unchanged(model: ModelVersion) -> None:
    """Raise DomainError unless the base model's folder still holds what was registered."""
    try:
        facts = model_folder.inspect(Path(model.path))
    except model_folder.ModelFolderError as error:
        raise DomainError(error.code, str(error), status=422) from error
    if facts.weights_hash != model.weights_hash:
        raise DomainError(
            "weights_changed",
            f"The files in {model.path} are not those that were registered as {model}; "
            "restore them, or register the folder under another name.",
            status=422,
        )


@transaction.atomic
def add_adapter(
    *, claim: Claim, run: TrainingRun, path: str, weights_hash: str, facts: dict[str, Any]
) -> ModelVersion:
    """Store what a finished attempt made; repeating it changes nothing."""
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
            "is_demo": run.base_model.is_demo,
            "created_by": run.created_by,
        },
    )
    if created:
        TrainingRun.objects.filter(pk=run.pk).update(facts=facts)
    return adapter
