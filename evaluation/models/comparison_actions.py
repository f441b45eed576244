"""Which actions the state of a comparison allows: the one rule behind the page's buttons, the API and the services."""

from enum import StrEnum

# The error code of a run that ended with responses missing.
INCOMPLETE = "incomplete"


class ComparisonAction(StrEnum):
    """What can be done with a comparison; the values are the names of the API's endpoints where there is one."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    TRY_AGAIN = "try-again"
    LEAVE_OUT_MISSING = "leave-out-missing"
    WORK_OUT = "work-out"
    OPEN_CAMPAIGN = "open-campaign"


def open_actions(
    *,
    status: str,
    cancel_requested: bool = False,
    pause_requested: bool = False,
    error_code: str = "",
    imported: bool = False,
    figures: bool = False,
) -> tuple[ComparisonAction, ...]:
    """The actions that are open now, the most likely one last. `figures`: the figures of the comparison are stored."""
    action = ComparisonAction
    if status == "succeeded":
        return (action.OPEN_CAMPAIGN,) if figures else (action.WORK_OUT, action.OPEN_CAMPAIGN)
    if status == "failed":
        # No worker can make the responses of an import.
        if imported:
            return ()
        return (
            (action.LEAVE_OUT_MISSING, action.TRY_AGAIN) if error_code == INCOMPLETE else (action.TRY_AGAIN,)
        )
    if status == "cancelled" or cancel_requested:
        return ()
    if status == "paused":
        return (action.CANCEL, action.RESUME)
    return (action.CANCEL,) if pause_requested else (action.PAUSE, action.CANCEL)
