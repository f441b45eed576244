"""Opens campaigns: small ones within the request, large ones in a job."""

from django.conf import settings
from django.db import transaction

from evaluation.models import Campaign, Invite, Opening
from evaluation.review.services import campaigns
from evaluation.review.services.lottery import pairs_of
from ftplatform import queues
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from training.intake.checking import Tell


def start(*, campaign: Campaign, user: User) -> Invite | Opening:
    """Open the campaign and return its first invitation.

    A comparison of more than `OPENING_WAIT_PAIRS` pairs is opened by a job, which is returned instead. A repeated
    call returns the same invitation or job. Raises DomainError as `campaigns.open_campaign`; a job ends with that
    error.
    """
    pairs = pairs_of(campaign.comparison, campaign.candidate).count()
    if campaign.status != Campaign.Status.DRAFT or pairs <= settings.OPENING_WAIT_PAIRS:
        return campaigns.open_campaign(campaign=campaign, user=user)
    with transaction.atomic():
        # The row lock makes a second click wait and find the job of the first.
        held = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if held.status != Campaign.Status.DRAFT:
            return held.invites.earliest("id")
        if (earlier := held.opening_under_way) is not None:
            return earlier
        opening = Opening.objects.create(
            kind=Job.Kind.OPENING, queue=queues.CPU, campaign=held, created_by=user
        )
        audit.record(actor=user, action="campaign.opening", target=held)
        jobs.announce(opening)
    return opening


def run(claim: jobs.Claim, report_progress: Tell) -> Campaign:
    """Run the opening.

    `report_progress` raises inside the last transaction if this attempt has lost its job or was cancelled, so
    that a cancelled campaign never opens.
    """
    opening = Opening.objects.select_related("campaign", "created_by").get(pk=claim.job_id)
    campaigns.open_campaign(
        campaign=opening.campaign, user=opening.created_by, report_progress=report_progress
    )
    return opening.campaign


def cancel(*, campaign: Campaign, user: User) -> None:
    """Cancel the job that opens the campaign, if there is one; the campaign stays a draft."""
    job = campaign.opening_under_way
    if job is not None:
        jobs.cancel(job=job, user=user)
