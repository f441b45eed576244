"""Log every view of results before a campaign has closed: who, when, and which analysis."""

from evaluation.models import Report
from ftplatform.accounts import audit
from ftplatform.accounts.models import User


def note(*, report: Report, user: User) -> None:
    """Log the view if the campaign is open. Call this before a result is shown.

    Views after the campaign has closed are not logged.
    """
    if not report.campaign.is_over:
        audit.record(actor=user, action="report.read_before_close", target=report.campaign, look=report.look)
