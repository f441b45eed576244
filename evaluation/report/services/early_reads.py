"""Every look at results before a campaign has closed is on record: who, when, at which look."""

from evaluation.models import Report
from ftplatform.accounts import audit
from ftplatform.accounts.models import User


def note(*, report: Report, user: User) -> None:
    """Call it before a result is shown. After the close a report may be read without a trace."""
    if not report.campaign.is_over:
        audit.record(actor=user, action="report.read_before_close", target=report.campaign, look=report.look)
