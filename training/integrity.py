"""Check whether a model's files are unchanged since its registration."""

from pathlib import Path

from ftplatform.errors import DomainError
from training import artefacts, model_folder
from training.models import ModelVersion

_seen: dict[str, tuple[object, str]] = {}


def inspect(folder: Path) -> model_folder.ModelFolder:
    try:
        return model_folder.inspect(folder)
    except model_folder.ModelFolderError as error:
        raise DomainError(error.code, str(error), status=422) from error


def check_unchanged(model: ModelVersion) -> None:
    """Raise DomainError unless every file in the model's folder still matches its registered hash."""
    if model.kind != ModelVersion.Kind.ADAPTER:
        digest = inspect(Path(model.path)).weights_hash
    else:
        try:
            artefacts.verify(Path(model.path))
            digest = artefacts.file_sha256(Path(model.path) / artefacts.MANIFEST)
        except artefacts.ArtefactError as error:
            raise DomainError(error.code, str(error), status=422) from error
    if digest != model.weights_hash:
        raise DomainError(
            "weights_changed",
            f"The files in {model.path} differ from those registered as {model}. "
            "Restore them, or register the folder under another name.",
            status=422,
        )


def check_before_launch(model: ModelVersion) -> None:
    """`check_unchanged`, skipped while file sizes and times equal those of the last check in this process. The worker
    compares every hash again before it trains, so a page need not read gigabytes twice."""
    state = _file_times(Path(model.path))
    if state and _seen.get(model.path) == (state, model.weights_hash):
        return
    check_unchanged(model)
    _seen[model.path] = (state, model.weights_hash)


def _file_times(folder: Path) -> object:
    try:
        return sorted(
            (file.name, (stat := file.stat()).st_size, stat.st_mtime_ns) for file in folder.iterdir()
        )
    except OSError:
        return None
