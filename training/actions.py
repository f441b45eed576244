"""Which actions a state allows. The buttons of pages, the API and the services use the same rule for each object."""

from enum import StrEnum

_ENDED = frozenset({"succeeded", "failed", "cancelled"})


class RunAction(StrEnum):
    """Actions of a training run."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    PRIORITISE = "prioritise"
    RETRY = "retry"
    DISCARD_CHECKPOINTS = "discard_checkpoints"


class JobAction(StrEnum):
    """Actions of a download, a measurement or the check of an upload."""

    CANCEL = "cancel"
    TRY_AGAIN = "try_again"


class UploadAction(StrEnum):
    """Actions of an uploaded file."""

    STORE = "store"
    CANCEL_CHECK = "cancel_check"


class ModelAction(StrEnum):
    """Actions of a model version."""

    COMPARE = "compare"
    TRAIN = "train"
    MERGE = "merge"
    VERIFY = "verify"
    EXPORT = "export"
    REPRODUCE = "reproduce"


def run_actions(
    status: str, *, cancel_requested: bool = False, pause_requested: bool = False
) -> tuple[RunAction, ...]:
    """The actions of a training run. After a request to stop, it accepts no other until it has stopped."""
    if status in _ENDED:
        return (RunAction.RETRY, RunAction.DISCARD_CHECKPOINTS)
    if cancel_requested:
        return ()
    if status == "paused":
        return (RunAction.RESUME, RunAction.CANCEL)
    if status == "queued":
        return (RunAction.PRIORITISE, RunAction.PAUSE, RunAction.CANCEL)
    return (RunAction.CANCEL,) if pause_requested else (RunAction.PAUSE, RunAction.CANCEL)


def job_actions(status: str, *, cancel_requested: bool = False) -> tuple[JobAction, ...]:
    """The actions of a job that cannot pause or resume: it can be cancelled or restarted."""
    if status in ("failed", "cancelled"):
        return (JobAction.TRY_AGAIN,)
    return () if status == "succeeded" or cancel_requested else (JobAction.CANCEL,)


def upload_actions(*, stored: bool, check_status: str | None) -> tuple[UploadAction, ...]:
    """The actions of an upload. `stored`: it has become a dataset; `check_status`: status of its newest check job."""
    if check_status is not None and check_status not in _ENDED:
        return (UploadAction.CANCEL_CHECK,)
    return () if stored else (UploadAction.STORE,)


def model_actions(
    *,
    kind: str,
    stage: str,
    has_files: bool = True,
    from_run: bool = False,
    merged: bool = False,
    merging: bool = False,
) -> tuple[ModelAction, ...]:
    """The actions of a model version; its stage can always be changed.

    `from_run`: a training run of this installation produced it or its adapter. `merged`: the adapter's merged model
    exists. `merging`: a merge job is queued or running.
    """
    actions = []
    if stage != "retired":
        actions += (
            [ModelAction.TRAIN] if kind == "base" else [ModelAction.COMPARE] if kind == "adapter" else []
        )
    if has_files and kind in ("adapter", "merged"):
        actions.append(ModelAction.EXPORT)
    if from_run:
        actions.append(ModelAction.REPRODUCE)
    if kind == "adapter" and not merged and not merging:
        actions.append(ModelAction.MERGE)
    if has_files:
        actions.append(ModelAction.VERIFY)
    return tuple(actions)
