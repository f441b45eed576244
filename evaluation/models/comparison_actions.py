"""Which actions the state of a comparison allows: one rule for the page's buttons, the API and the services."""

from enum import StrEnum

# The error code of a comparison that ended with responses missing.
INCOMPLETE = "incomplete"


class ComparisonAction(StrEnum):
    """Actions on a comparison. The values are the names of the API endpoints, where these exist."""

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
    """The actions that are available now, the most likely one last. `figures`: the comparison's figures are stored."""
    action = ComparisonAction
    if status == "succeeded":
        return (action.OPEN_CAMPAIGN,) if figures else (action.WORK_OUT, action.OPEN_CAMPAIGN)
    if status == "failed":
        # No worker can generate the responses of an import.
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
