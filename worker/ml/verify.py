"""Check whether a model's files are unchanged since registration: `python -m worker.ml.verify JOB.json`.

This is a separate process because hashing gigabytes takes minutes and users can cancel it.
"""

import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from training import artefacts, model_folder
from worker.ml.errors import MlError
from worker.ml.protocol import Reporter, run_command


class VerifyJob(BaseModel):
    """The job file: the folder, its recorded hash, and whether that is the identity of a base or the hash of a
    manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path
    kind: Literal["folder", "artefact"]
    sha256: str


def main(reporter: Reporter, raw_job: dict[str, Any]) -> None:
    """Run one job. Emits a stage and `done`, or fails with a message that names the file and the problem."""
    job = VerifyJob.model_validate(raw_job)
    with reporter.quiet_stage("comparing hashes"):
        digest = _identity(job)
    if digest != job.sha256:
        raise MlError(
            "weights_changed",
            f"The files in {job.folder} are not those that were registered; restore them, "
            "or register the folder under another name.",
        )
    reporter.emit("done", facts={"sha256": digest})


def _identity(job: VerifyJob) -> str:
    if job.kind == "artefact":
        artefacts.verify(job.folder)
        return artefacts.file_sha256(job.folder / artefacts.MANIFEST)
    try:
        return model_folder.inspect(job.folder).weights_hash
    except model_folder.ModelFolderError as error:
        raise MlError(error.code, str(error)) from error


if __name__ == "__main__":
    sys.exit(run_command(main))
