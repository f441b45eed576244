"""Download a model at a pinned commit from the hub: `python -m worker.ml.download JOB.json`.

Only the files that determine a model's output are fetched (`training.model_folder.IDENTITY_FILES`): no pickles and no
code. They are written to a folder beside `target`, checked there, and moved to `target` in one step, so a folder of
that name is always complete. Files that an earlier attempt downloaded are reused.
"""

import os
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from training import model_folder
from worker.ml.errors import MlError
from worker.ml.protocol import Reporter, run_command


class DownloadJob(BaseModel):
    """The job file: `organisation/name`, the full commit hash, and the folder to create."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    commit: str
    target: Path


def main(reporter: Reporter, raw_job: dict[str, Any]) -> None:
    """Run one job. Emits stages, then `done` with the folder and the model's identity."""
    job = DownloadJob.model_validate(raw_job)
    if not job.target.is_dir():
        partial = job.target.with_name(f".{job.target.name}.partial")
        with reporter.quiet_stage("downloading"):
            _fetch(job, partial)
        with reporter.quiet_stage("checking"):
            _inspect(partial)
            partial.rename(job.target)
    facts = _inspect(job.target)
    reporter.emit("done", artefact=str(job.target), facts={"sha256": facts.weights_hash})


def _inspect(folder: Path) -> model_folder.ModelFolder:
    try:
        return model_folder.inspect(folder)
    except model_folder.ModelFolderError as error:
        raise MlError(error.code, str(error)) from error


def _fetch(job: DownloadJob, folder: Path) -> None:
    # Only this command may go online. The library reads the variable when it is imported.
    os.environ["HF_HUB_OFFLINE"] = "0"
    from huggingface_hub import errors, snapshot_download

    name = f"{job.repository}@{job.commit}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        snapshot_download(
            job.repository,
            revision=job.commit,
            local_dir=folder,
            allow_patterns=list(model_folder.IDENTITY_FILES),
        )
    except errors.GatedRepoError as error:
        raise MlError(
            "hub_gated",
            f"{name} asks for its terms to be accepted; download it yourself and register the folder.",
        ) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.EntryNotFoundError) as error:
        raise MlError("hub_not_found", f"The hub has no {name}; check the name and the commit.") from error
    except OSError as error:
        if getattr(error, "errno", None):
            raise
        raise MlError(
            "hub_unreachable", f"{name} could not be fetched ({error}); check the network."
        ) from error
    _remove_bookkeeping(folder)


def _remove_bookkeeping(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder / ".cache", ignore_errors=True)


if __name__ == "__main__":
    sys.exit(run_command(main))
